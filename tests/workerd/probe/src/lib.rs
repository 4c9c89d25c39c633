//! A Worker that runs the commands of `tests/workerd/checks.mjs`: a client's messages are commands.
//!
//! The Worker itself serves upgrades to `/plain`. The object of their namespace serves all others;
//! the namespace is the path, or `?namespace=`. Below `/shared` all namespaces share one object.
//! Below `/one` there is one object for everything, and below `/by-request` the object that
//! `?object=` names. `/forward` passes a client's request to an object unchanged, and `/id` returns
//! the object's id, which no application should do. Below `/quick`, `/brief`, `/kept`, `/looped` and `/silent`,
//! objects have these classes. Event streams are served below `/streams` and `/kept`. `/ticks` is a stream of
//! the Worker's own, and `/ticks/open` returns how many of these have not been dropped.

mod ticks;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crossws::sse::StreamSettings;
use crossws::worker::{Objects, Options, PeerInfo, Plain, Shard, Upgraded, respond};
use crossws::{
    CloseCode, Closed, Error, Handler, HookResult, Hooks, Hub, Json, Limits, Message, OnError,
    Origin, Peer, Rejection, Upgrade, UpgradeRequest, handler,
};
use serde_json::{Value, json};
use worker::send::SendFuture;
use worker::wasm_bindgen::JsCast;
use worker::{Context, Delay, Env, Request, Response, Result, State, event, web_sys};

crossws::worker::durable_object! {
    pub struct Probe => Orders = |_env| Orders::default();
    options = |_env| options();
}

crossws::worker::durable_object! {
    /// Its clients must send something every five seconds.
    pub struct Quick => Orders = |_env| Orders::default();
    options = |_env| options().limits(
        Limits::default().ping_interval(None).idle_timeout(Duration::from_secs(5)),
    );
}

crossws::worker::durable_object! {
    /// Its connections last a second.
    pub struct Brief => Orders = |_env| Orders::default();
    options = |_env| options().limits(Limits::default().max_lifetime(Duration::from_secs(1)));
}

crossws::worker::durable_object! {
    /// Its topics retain messages, and names may be longer than a key of its storage.
    pub struct Kept => Orders = |_env| Orders::default();
    options = |_env| kept();
}

crossws::worker::durable_object! {
    /// It cannot start, because no loop outlives a sleep.
    pub struct Looped => Handler = |_env| handler(|peer, mut incoming| async move {
        while let Some(message) = incoming.next().await {
            peer.send(message)?;
        }
        Ok(())
    });
    options = |_env| options();
}

const _: () = {
    // The attribute's expansion names it unqualified.
    use worker::wasm_bindgen;

    /// An object that never responds, like one that died of a panic.
    #[worker::durable_object]
    pub struct Silent;

    impl worker::DurableObject for Silent {
        fn new(_: State, _: Env) -> Self {
            Self
        }

        async fn fetch(&self, _: Request) -> Result<Response> {
            Delay::from(Duration::from_secs(60)).await;
            Response::empty()
        }
    }
};

fn options() -> Options {
    Options::new()
        .origin(Origin::Any)
        .keep_headers([crossws::http::HeaderName::from_static("x-kept")])
        .auto_response("heartbeat", "alive")
}

fn kept() -> Options {
    let brief = Duration::from_millis(200);
    options()
        .events(StreamSettings::new().grace(brief).keep_alive(brief))
        .limits(Limits::default().max_name_len(4096))
        .retained()
}

#[derive(Default)]
struct Orders {
    /// The number of commands since the hooks were created: it is small after a sleep.
    obeyed: AtomicU32,
}

type Query = HashMap<String, String>;

fn query(query: &str) -> Query {
    serde_urlencoded::from_str(query).unwrap_or_default()
}

impl Hooks for Orders {
    async fn start(&self, hub: &Hub) -> HookResult {
        hub.in_all_namespaces()
            .clear_retained("cleared at the start");
        Ok(())
    }

    async fn upgrade(&self, request: &UpgradeRequest) -> std::result::Result<Upgrade, Rejection> {
        let query = query(request.query().unwrap_or_default());
        if query.contains_key("refuse") {
            let mut rejection = Rejection::unauthorized("Bearer");
            *rejection.response_mut().body_mut() = "who are you?".into();
            return Err(rejection);
        }
        #[allow(clippy::panic, reason = "what a panic does here is what is asked")]
        if query.contains_key("panic") {
            panic!("as told");
        }
        let namespace = query.get("namespace").map_or(request.path(), |name| name);
        let mut upgrade = Upgrade::new();
        if let Some(id) = query.get("id").and_then(|id| id.parse().ok()) {
            upgrade = upgrade.id(id);
        }
        if let Some(time) = query.get("expires").and_then(|time| time.parse().ok()) {
            upgrade = upgrade.expires(Duration::from_millis(time));
        }
        Ok(upgrade
            .namespace(namespace)
            .context(json!(query.get("context")))
            .protocol(request.choose_protocol(&["supported"]))
            .header("set-cookie", "a=1")?
            .header("set-cookie", "b=2")?)
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        peer.send(format!("open {peer}"))?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        self.obeyed.fetch_add(1, Ordering::Relaxed);
        if !message.is_text() {
            peer.send(message)?;
            return Ok(());
        }
        let text = message.text_lossy();
        let (order, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match order {
            "state" => {
                peer.send(Json(self.state(peer)))?;
            }
            "subscribe" => {
                peer.send(said(peer.subscribe(rest)))?;
            }
            "unsubscribe" => {
                peer.send(peer.unsubscribe(rest).to_string())?;
            }
            "publish" => {
                let (topic, text) = rest.split_once(' ').unwrap_or((rest, ""));
                peer.send(said(peer.publish(topic, text)))?;
            }
            "retain" => {
                let (topic, text) = rest.split_once(": ").unwrap_or((rest, ""));
                peer.send(said(peer.to(topic).retained().send(text)))?;
            }
            "context" => {
                peer.send(said(peer.set_context(json!(rest))))?;
            }
            // Grows the context to this many bytes.
            "grow" => {
                peer.send(said(peer.set_context(json!("x".repeat(rest.parse()?)))))?;
            }
            "renew" => {
                peer.send(said(peer.set_expiry(Duration::from_millis(rest.parse()?))))?;
            }
            "wait" => {
                // Natively, where this is compiled for lints, hooks must be `Send`.
                SendFuture::new(Delay::from(Duration::from_millis(rest.parse()?))).await;
                peer.send("waited")?;
            }
            "close" => {
                let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                peer.close(
                    CloseCode::try_from(code.parse::<u16>()?)?,
                    reason.to_owned(),
                );
            }
            "fail" => return Err(rest.into()),
            #[allow(clippy::panic, reason = "as above")]
            "panic" => panic!("as told"),
            _ => {
                peer.send(&*text)?;
            }
        }
        Ok(())
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        peer.publish("by", format!("{} by {:?}", closed.code, closed.by))?;
        peer.publish(
            "ends",
            format!(
                "close {} {:?} {}",
                closed.code, &*closed.reason, closed.clean
            ),
        )?;
        Ok(())
    }

    async fn error(&self, peer: &Peer, error: Error) -> OnError {
        let _ = peer.publish("ends", format!("error: {error}"));
        let _ = peer.send(format!("error: {error}"));
        OnError::default()
    }
}

/// Returns the result of a call as text.
fn said<T>(result: std::result::Result<T, impl std::fmt::Display>) -> String {
    result.map_or_else(|error| format!("refused: {error}"), |_| "done".into())
}

impl Orders {
    fn state(&self, peer: &Peer) -> Value {
        let header = |name| peer.request().header(name);
        json!({
            "id": peer.id(),
            "obeyed": self.obeyed.load(Ordering::Relaxed),
            "namespace": peer.namespace(),
            "context": peer.context_as::<serde_json::Value>().ok(),
            "topics": peer.topics().iter().map(|topic| &**topic).collect::<Vec<_>>(),
            "protocol": peer.protocol(),
            "url": peer.request().url(),
            "headers": { "x-kept": header("x-kept"), "x-lost": header("x-lost") },
            "peers": peer.peers().len(),
            "capabilities": format!("{:?}", peer.capabilities()),
        })
    }
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let path = request.path();
    // The first part of the path, or the kind that a route from outside names.
    let kind = path.split('/').nth(1).unwrap_or_default();
    let asked = query_of(&request);
    let kind = asked.get("kind").map_or(kind, |kind| kind);
    let (binding, with) = match kind {
        "quick" => ("QUICK", options()),
        "brief" => ("BRIEF", options()),
        "kept" => ("KEPT", kept()),
        "looped" => ("LOOPED", options()),
        "silent" => {
            let limits = Limits::default().upgrade_timeout(Duration::from_millis(500));
            ("SILENT", options().limits(limits))
        }
        _ => ("PROBE", options()),
    };
    let objects = Objects::new(&env, binding)?
        .options(with)
        .shard(shard(kind));
    let upgraded = match path.as_str() {
        "/forward" => return forward(request, &env).await,
        "/id" => {
            let name = asked.get("object").cloned().unwrap_or_default();
            let id = env
                .durable_object("PROBE")?
                .id_from_name(&name)?
                .to_string();
            return Response::ok(id);
        }
        "/plain" => {
            Plain::new()
                .options(options())
                .upgrade(request, &context, Orders::default())
                .await?
        }
        "/ticks" => return Ok(respond(ticks::ticks(&asked), &context)?),
        "/ticks/open" => return Response::ok(ticks::open().to_string()),
        // What is no stream there is a socket.
        _ if matches!(kind, "streams" | "kept") => match objects
            .events(request, Orders::default())
            .await?
        {
            Upgraded::NotHandled(request) => objects.upgrade(request, Orders::default()).await?,
            answered => answered,
        },
        _ => objects.upgrade(request, Orders::default()).await?,
    };
    match upgraded {
        Upgraded::Answered(response) => Ok(response),
        Upgraded::NotHandled(request) => from_outside(&request, &objects).await,
    }
}

fn shard(kind: &str) -> Shard {
    match kind {
        "one" => Shard::One("the one".to_owned()),
        "by-request" => Shard::ByRequest(Box::new(|request, _namespace| {
            let query = query(request.query().unwrap_or_default());
            query.get("object").cloned().unwrap_or_default()
        })),
        _ => Shard::ByNamespace(Box::new(|namespace| {
            let shared = namespace.starts_with("/shared");
            if shared { "shared" } else { namespace }.to_owned()
        })),
    }
}

fn query_of(request: &Request) -> Query {
    let url = request.inner().url();
    query(url.split_once('?').map_or("", |(_, query)| query))
}

/// `/publish`, `/peers`, `/count` and `/close` of a namespace or a whole object, as a Worker's
/// routes would.
async fn from_outside(request: &Request, objects: &Objects) -> Result<Response> {
    let query = query_of(request);
    let of = |name: &str| query.get(name).cloned().unwrap_or_default();
    let room = match query.get("object") {
        Some(object) => objects.object(object)?,
        None => match objects.in_namespace(of("namespace")) {
            Ok(room) => room,
            Err(error) => return Response::error(error.to_string(), 400),
        },
    };
    match request.path().as_str() {
        "/publish" => {
            let told = room.publish(of("topic"), of("text")).await?;
            Response::ok(told.queued.to_string())
        }
        "/peers" => {
            let peers: Vec<PeerInfo> = room.peers().await?;
            Response::from_json(&peers)
        }
        "/count" => Response::ok(room.count(of("topic")).await?.to_string()),
        "/close" => {
            room.close_all(CloseCode::AWAY).await?;
            Response::ok("closed")
        }
        _ => Response::error("not found", 404),
    }
}

/// Forwards a client's request to an object, which no application should do: unchanged, or to the
/// address that the adapter itself uses.
async fn forward(request: Request, env: &Env) -> Result<Response> {
    let query = query_of(&request);
    let name = query.get("object").cloned().unwrap_or_default();
    let stub = env.durable_object("PROBE")?.get_by_name(&name)?;
    let request = match query.get("to") {
        Some(url) => {
            let init = request.inner().clone()?;
            web_sys::Request::new_with_str_and_init(url, init.unchecked_ref())?.into()
        }
        None => request,
    };
    stub.fetch_with_request(request).await
}
