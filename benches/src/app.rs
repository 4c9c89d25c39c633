//! The application that every server here runs. For crossws it uses the public API, with the async
//! hooks that any user writes.

use std::io;
use std::sync::Arc;

use crossws::{
    HookResult, Hooks, Hub, HubBuilder, Limit, Limits, Message, Peer, Rejection, Resolve, Typed,
    TypedPeer, Upgrade, UpgradeRequest, resolve_with, typed,
};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

/// The application that a path selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum App {
    /// `/echo`: sends every message back.
    Echo,
    /// `/chat`: one room, in which every message goes to the other members.
    Chat,
    /// `/topic/NAME`: a room of that name; all rooms share one namespace.
    Topic,
    /// `/many/FIRST/COUNT`: subscribed to `COUNT` topics in the chat's namespace, and silent.
    Many,
    /// `/idle`: a context, one topic, and no messages.
    Idle,
}

/// The message of a client of the JSON echoes.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    user: String,
    kind: Kind,
    text: String,
    count: u32,
}

/// The subject of a message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Chat,
    Place { at: (f64, f64) },
}

/// Returns an echo in JSON, with `serde_json` called by hand.
pub fn json_echo() -> impl Hooks {
    JsonEcho
}

/// Returns the same echo with typed hooks.
pub fn typed_echo() -> impl Hooks {
    typed(TypedEcho)
}

struct JsonEcho;

impl Hooks for JsonEcho {
    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        let said: Said = serde_json::from_str(message.text()?)?;
        peer.send(serde_json::to_string(&said)?)?;
        Ok(())
    }
}

struct TypedEcho;

impl Typed for TypedEcho {
    type In = Said;
    type Out = Said;

    async fn message(&self, peer: &TypedPeer<Said>, said: Said) -> HookResult {
        peer.send(said)?;
        Ok(())
    }
}

/// The context of a peer of `/topic` and `/idle`.
#[derive(Debug, Serialize, Deserialize)]
struct Member {
    name: String,
}

impl App {
    fn of(path: &str) -> Option<Self> {
        match path.split('/').nth(1)? {
            "echo" => Some(Self::Echo),
            "chat" => Some(Self::Chat),
            "topic" => Some(Self::Topic),
            "many" => Some(Self::Many),
            "idle" => Some(Self::Idle),
            _ => None,
        }
    }
}

impl Hooks for App {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let name = request.path().split('/').next_back().unwrap_or_default();
        Ok(match self {
            Self::Echo | Self::Chat => Upgrade::new(),
            Self::Many => Upgrade::new().namespace("/chat"),
            Self::Topic | Self::Idle => Upgrade::new().namespace("/topic").context(Member {
                name: name.to_owned(),
            }),
        })
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        match self {
            Self::Echo => return Ok(()),
            Self::Chat => {
                peer.subscribe("room")?;
            }
            Self::Topic | Self::Idle => {
                peer.subscribe(&peer.context::<Member>()?.name)?;
            }
            Self::Many => {
                let mut path = peer.request().path().split('/').skip(2);
                let mut number = || path.next().unwrap_or_default().parse::<usize>();
                let (first, count) = (number()?, number()?);
                for topic in first..first + count {
                    peer.subscribe(format!("other-{topic}"))?;
                }
            }
        }
        // The load begins when every client has received this.
        peer.send("ready")?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        match self {
            Self::Echo => {
                peer.send(message)?;
            }
            Self::Chat => {
                peer.publish("room", message)?;
            }
            Self::Topic => {
                peer.publish(&peer.context::<Member>()?.name, message)?;
            }
            Self::Many | Self::Idle => {}
        }
        Ok(())
    }
}

/// Returns the hooks of each path, and 404 for other paths.
pub fn hooks() -> impl Resolve<Hooks = App> {
    let apps = [App::Echo, App::Chat, App::Topic, App::Many, App::Idle].map(Arc::new);
    resolve_with(move |request| {
        let app = App::of(request.path())?;
        apps.iter().find(|known| ***known == app).cloned()
    })
}

/// Returns a hub whose queues hold the largest burst of the benchmark: the load generator reads it
/// all, and no message may be lost. The other servers have the same bounds.
pub fn hub() -> Hub {
    hub_builder().build()
}

/// The same, to be built with more.
pub fn hub_builder() -> HubBuilder {
    let limits = Limits::default()
        .max_buffered(64 << 20)
        .max_queued(Limit::Unlimited);
    Hub::builder().limits(limits)
}

/// Returns tokio's runtime: one thread, or `THREADS` workers, which run spawned tasks.
pub fn runtime() -> io::Result<Runtime> {
    let threads = std::env::var("THREADS").ok().and_then(|n| n.parse().ok());
    let mut builder = match threads {
        None | Some(0) => Builder::new_current_thread(),
        Some(threads) => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    builder.enable_all().build()
}

/// Returns the address to listen on. The environment sets the port.
pub fn address() -> String {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    format!("127.0.0.1:{port}")
}

/// Returns the files with the certificate and the key, in PEM, if connections must be encrypted.
pub fn tls_files() -> Option<(String, String)> {
    let file = |name| std::env::var(name).ok();
    file("TLS_CERT").zip(file("TLS_KEY"))
}
