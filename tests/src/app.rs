use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossws_app::{IncomingExt, Router};
use crossws_core::adapter::{FromConnection, HttpService};
use crossws_core::{
    ApiError, BoxFuture, CloseCode, CloseFrame, Closed, DynHooks, HandlerEnd, Message, Params,
    Resolution, Resolve, Route, Upgrade, UpgradeRequest, handler, hooks, keep_open, keep_open_then,
};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::{Ask, Journal, Probe, routed};

/// The whole application: the probe on a router, and the other kinds of hooks.
///
/// | path | hooks |
/// | --- | --- |
/// | `/unclaimed…` | none: the HTTP service answers |
/// | `/broken…` | the resolver panics |
/// | `/rooms/{room}` | the probe, with a route parameter |
/// | `/routed…` | those of a [`Router`](crossws_app::Router): see `routed.rs` |
/// | `/handler/json…` | a loop over numbers in JSON |
/// | `/handler…` | a loop that owns the connection |
/// | `/closures…` | closures |
/// | `/taken…` | an upgrade that takes the stream: see [`App::taking`] |
/// | `/taken/for-a-time` | the same with credentials that end, for which no stream is given |
/// | anything else | the probe |
pub struct App {
    journal: Arc<Journal>,
    probe: Arc<dyn DynHooks>,
    looped: Arc<dyn DynHooks>,
    numbers: Arc<dyn DynHooks>,
    closures: Arc<dyn DynHooks>,
    taken: Arc<dyn DynHooks>,
    router: Arc<Router>,
}

impl App {
    /// Creates the application, which writes into this journal.
    pub fn new(journal: &Arc<Journal>) -> Self {
        Self::with(journal, Arc::new(Probe::new(Arc::clone(journal))))
    }

    /// Creates the application with other hooks instead of the probe, which is how the suite tests
    /// itself.
    pub fn with(journal: &Arc<Journal>, probe: Arc<dyn DynHooks>) -> Self {
        Self {
            probe,
            looped: looped(Arc::clone(journal)),
            numbers: numbers(),
            closures: closures(Arc::clone(journal)),
            taken: taken(|| Upgrade::take(|_: Nowhere| async {})),
            router: Arc::new(routed::router(journal)),
            journal: Arc::clone(journal),
        }
    }

    /// Accepts an upgrade of `/taken` in this way, if the adapter has streams that can be taken.
    /// The taker reads the stream until something arrives, writes a frame with the text `taken`,
    /// and ends the stream.
    #[must_use]
    pub fn taking(mut self, take: fn() -> Upgrade) -> Self {
        self.taken = taken(take);
        self
    }

    /// Responds as the HTTP service on the same port: the body describes the request.
    pub fn http(request: &Request<Bytes>) -> Response<Bytes> {
        let seen = json!({
            "method": request.method().as_str(),
            "target": request.uri().path_and_query().map(|target| target.as_str()),
            "headers": crate::probe::headers(request.headers()),
            "body": String::from_utf8_lossy(request.body()),
        });
        Response::builder()
            .header("x-service", "plain")
            .body(Bytes::from(seen.to_string()))
            .unwrap()
    }
}

/// [`App::http`] as hooks call it, for targets that run in a foreign server.
pub struct Http;

impl HttpService for Http {
    fn call(
        &self,
        request: Request<Bytes>,
        _: usize,
    ) -> BoxFuture<'static, Result<Response<Bytes>, ApiError>> {
        Box::pin(std::future::ready(Ok(App::http(&request))))
    }
}

impl Resolve for App {
    type Hooks = dyn DynHooks;

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<dyn DynHooks> {
        let path = request.path();
        self.journal
            .record(&Ask::of(request).who, "resolve", json!(path));
        assert!(!path.starts_with("/broken"), "probe: panic in the resolver");
        if path.starts_with("/unclaimed") {
            return Resolution::Pass;
        }
        if path.starts_with("/routed") {
            return match self.router.resolve(request).await {
                Resolution::Route(route) => route.map(|hooks| hooks as _).into(),
                Resolution::Pass => Resolution::Pass,
                Resolution::Reject(rejection) => rejection.into(),
            };
        }
        let hooks = match path {
            _ if path.starts_with("/handler/json") => &self.numbers,
            _ if path.starts_with("/handler") => &self.looped,
            _ if path.starts_with("/closures") => &self.closures,
            _ if path.starts_with("/taken") => &self.taken,
            _ => &self.probe,
        };
        let params: Params = path
            .strip_prefix("/rooms/")
            .map(|room| ("room", room))
            .into_iter()
            .collect();
        Route::new(Arc::clone(hooks)).params(params).into()
    }
}

/// A stream type that no adapter has.
struct Nowhere;

impl FromConnection for Nowhere {
    type Connection = Self;

    fn from_connection(connection: Self) -> Self {
        connection
    }
}

fn taken(take: fn() -> Upgrade) -> Arc<dyn DynHooks> {
    Arc::new(hooks().on_upgrade(move |request| {
        let upgrade = match request.path() {
            "/taken/for-a-time" => take().expires(Duration::from_secs(1)),
            _ => take(),
        };
        std::future::ready(Ok(upgrade))
    }))
}

/// Echoes, and records when it begins, when its messages end and how. `quit` returns, `keep` returns and
/// keeps the connection, `guard` and `then` with a cleanup, `code` closes with 4002, `fail` fails,
/// `token` records in a spawned future that the connection ends.
fn looped(journal: Arc<Journal>) -> Arc<dyn DynHooks> {
    Arc::new(handler(move |peer, mut incoming| {
        let journal = Arc::clone(&journal);
        async move {
            let who = Ask::of(peer.request()).who;
            journal.record(&who, "loop", Value::Null);
            while let Some(message) = incoming.next().await {
                match message.text()? {
                    "quit" => return Ok(HandlerEnd::Close),
                    "keep" => return Ok(HandlerEnd::KeepOpen),
                    "guard" => {
                        peer.send(message)?;
                        return Ok(keep_open(Cleanup(journal, who)));
                    }
                    "then" => {
                        let note =
                            move |closed: Closed| async move { ended(&journal, &who, &closed) };
                        return Ok(keep_open_then(note));
                    }
                    "code" => return Ok(CloseFrame::new(OWN, "own").into()),
                    "token" => {
                        let (token, journal) = (peer.cancel_token(), Arc::clone(&journal));
                        let who = who.clone();
                        peer.spawn(async move {
                            let never = token.run_until_cancelled(std::future::pending::<()>());
                            assert_eq!(never.await, None);
                            journal.record(&who, "token", json!(token.is_cancelled()));
                        });
                        peer.send(message)?;
                    }
                    "fail" => return Err("the loop failed".into()),
                    "panic" => panic!("probe: panic in a loop"),
                    _ => {
                        peer.send(message)?;
                    }
                }
            }
            journal.record(&who, "loop.end", json!(format!("{:?}", peer.state())));
            ended(&journal, &who, &incoming.closed().await);
            Ok(HandlerEnd::Close)
        }
    }))
}

const OWN: CloseCode = CloseCode::new(4002).unwrap();

/// Records how a loop's connection ended.
fn ended(journal: &Journal, who: &str, closed: &Closed) {
    let by = format!("{:?}", closed.by);
    journal.record(who, "loop.closed", json!({ "code": closed.code, "by": by }));
}

/// A guard that records its end.
struct Cleanup(Arc<Journal>, String);

impl Drop for Cleanup {
    fn drop(&mut self) {
        self.0.record(&self.1, "loop.cleanup", Value::Null);
    }
}

/// Doubles the numbers among its messages, which are JSON.
fn numbers() -> Arc<dyn DynHooks> {
    Arc::new(handler(|peer, incoming| async move {
        let mut numbers = incoming.json::<u32>();
        while let Some(number) = numbers.next().await {
            peer.send((2 * number).to_string())?;
        }
        Ok(())
    }))
}

/// An echo from closures, which records open and close.
fn closures(journal: Arc<Journal>) -> Arc<dyn DynHooks> {
    let again = Arc::clone(&journal);
    Arc::new(
        hooks()
            .on_open(move |peer| {
                journal.record(&Ask::of(peer.request()).who, "open", Value::Null);
                async move { peer.send("welcome") }
            })
            .on_message(|peer, message: Message| async move { peer.send(message) })
            .on_close(move |peer, closed| {
                again.record(&Ask::of(peer.request()).who, "close", json!(closed.code));
                async {}
            }),
    )
}
