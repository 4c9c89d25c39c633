//! The routes below `/routed`, with layers, authentication and settings of their own.

use std::sync::Arc;
use std::time::Duration;

use crossws_app::{PeerExt, RequestExt, Router, route};
use crossws_core::http::StatusCode;
use crossws_core::{
    ApiError, ApiResponse, HookResult, Hooks, Message, Peer, PublishError, Published, Rejection,
    Upgrade, UpgradeRequest,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Ask, Journal, spoken};

/// The user of a request. The name is in the query, which outlives a sleep.
struct User(String);

/// Attaches the user that the query names, and refuses a request without one.
async fn named(request: &mut UpgradeRequest) -> Result<(), Rejection> {
    let Ok(user) = request.query_token("user") else {
        return Err(Rejection::new(StatusCode::UNAUTHORIZED, "no user"));
    };
    let user = User(user.into_owned());
    request.attach(user);
    Ok(())
}

/// Accepts a request whose token is known; fails for the token `broken`.
async fn trusted(request: &UpgradeRequest) -> Result<Option<User>, String> {
    match request.query_token("token").as_deref() {
        Ok("good") => Ok(Some(User("trusted".to_owned()))),
        Ok("broken") => Err("the token cannot be checked".to_owned()),
        _ => Ok(None),
    }
}

/// Lets the session `s` in.
async fn in_session(request: &mut UpgradeRequest) -> Result<(), Rejection> {
    match request.cookie("session") {
        Some("s") => Ok(()),
        _ => Err(Rejection::new(StatusCode::UNAUTHORIZED, "no session")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    page: u32,
    /// What the probe is asked.
    #[serde(rename = "ask")]
    _ask: String,
}

#[derive(Deserialize)]
struct Chapter {
    #[serde(rename = "chapter")]
    _chapter: u32,
}

/// Returns the router of these paths.
pub(crate) fn router(journal: &Arc<Journal>) -> Router {
    let says = || Says(Arc::clone(journal));
    let workers = Router::new()
        .route("/{worker}", route(says()).name("worker"))
        .route("/{worker}/logs", says())
        .before(named);
    let below = Router::new()
        .route("/", says())
        .route("/files/[...rest]", says())
        .route("/names/:name/raw", says())
        .route("/files/index", says())
        .route("/private", route(says()).authenticate(trusted))
        .route("/pages/{id}", route(says()).path::<u64>().query::<Page>())
        .route("/books/{book}", route(says()).path::<Chapter>())
        .route(
            "/small",
            route(says()).limits(|limits| limits.max_message_size(16)),
        )
        .route(
            "/quick",
            route(says()).limits(|limits| limits.inactivity_timeout(Duration::from_millis(500))),
        )
        .route("/chat", route(says()).topic("general").topic("news"))
        .route(
            "/protocols",
            route(says()).protocols(["chat.v2", "chat.v1"]),
        )
        .nest("/workers", workers)
        .nest(
            "/sessions",
            Router::new().route("/", says()).before(in_session),
        )
        .nest("/spoken", spoken::router(journal))
        .global(Marks);
    let router = Router::new().nest("/routed", below);
    router.check().unwrap();
    router
}

/// Global hooks that mark each reply.
struct Marks;

impl Hooks for Marks {
    async fn upgrade(&self, _: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        Ok(Upgrade::new().header("x-routed", "yes")?)
    }
}

/// Sends what it knows about its route when it opens, and on each message.
struct Says(Arc<Journal>);

impl Hooks for Says {
    async fn open(&self, peer: &Peer) -> HookResult {
        let who = Ask::of(peer.request()).who;
        self.0.record(&who, "open", Value::Null);
        peer.send(known(peer))?;
        Ok(())
    }

    /// `route NAME` sends to a route, `here NAME` to the same route of this hub only, and `api
    /// PATH` calls the application's HTTP service.
    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        let said = match message.text()?.split_once(' ') {
            Some(("route", name)) => sent(peer.hub().route(name).send(format!("to {name}"))),
            Some(("here", name)) => sent(peer.hub().route(name).here().send(format!("to {name}"))),
            Some(("api", path)) => {
                called(peer.api().base("/base").get(path).query("a", "b c").await)
            }
            _ => known(peer),
        };
        peer.send(said)?;
        Ok(())
    }
}

fn sent(published: Result<Published, PublishError>) -> String {
    match published {
        Ok(published) => json!({ "sent": published.queued }),
        Err(error) => json!({ "error": error.to_string() }),
    }
    .to_string()
}

fn called(response: Result<ApiResponse, ApiError>) -> String {
    match response {
        Ok(response) => json!({
            "status": response.status().as_u16(),
            "service": response.headers()["x-service"].to_str().unwrap_or_default(),
            "seen": response.json::<Value>().ok(),
        }),
        Err(error) => json!({ "error": error.to_string() }),
    }
    .to_string()
}

fn known(peer: &Peer) -> String {
    let params: Vec<_> = peer.params().iter().collect();
    let topics = peer.topics();
    let user = peer.attached::<User>();
    json!({
        "route": peer.route().as_deref(),
        "name": peer.route_name().as_deref(),
        "params": params,
        "user": user.ok().map(|user| user.0.clone()),
        "page": peer.attached::<Page>().ok().map(|page| page.page),
        "topics": topics.iter().map(|topic| &**topic).collect::<Vec<_>>(),
        "protocol": peer.protocol(),
    })
    .to_string()
}
