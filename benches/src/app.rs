//! The application that every server here is: what is measured of ours goes through the public
//! API, with the async hooks that any user writes.

use std::sync::Arc;

use crossws::{
    HookResult, Hooks, Hub, HubBuilder, Limit, Limits, Message, Peer, Rejection, Resolve, Typed,
    TypedPeer, Upgrade, UpgradeRequest, resolve_with, typed,
};
use serde::{Deserialize, Serialize};

/// What a path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum App {
    /// `/echo`: every message goes back.
    Echo,
    /// `/chat`: one room, where every message goes to the others.
    Chat,
    /// `/topic/NAME`: a room of that name, and all of them in one namespace.
    Topic,
    /// `/many/FIRST/COUNT`: subscribed to so many topics beside the chat's room, and silent.
    Many,
    /// `/idle`: a context, one topic, and silence.
    Idle,
}

/// What a client of the echoes in JSON says.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    user: String,
    kind: Kind,
    text: String,
    count: u32,
}

/// What something is about.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Chat,
    Place { at: (f64, f64) },
}

/// An echo in JSON, by hand.
pub fn json_echo() -> impl Hooks {
    JsonEcho
}

/// The same, typed.
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

/// What a peer of `/topic` and `/idle` carries.
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
        // The load begins when every client has heard this.
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

/// The hooks of each path, and 404 for the others.
pub fn hooks() -> impl Resolve<Hooks = App> {
    let apps = [App::Echo, App::Chat, App::Topic, App::Many, App::Idle].map(Arc::new);
    resolve_with(move |request| {
        let app = App::of(request.path())?;
        apps.iter().find(|known| ***known == app).cloned()
    })
}

/// A hub whose queues hold the largest burst of the benchmark, which is the load generator's to
/// read: no message may be lost. The other servers are told the same.
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

/// The address to listen on: the port comes from the environment.
pub fn address() -> String {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    format!("127.0.0.1:{port}")
}
