use std::sync::Arc;

use crossws_app::{Layer, Router, route};
use crossws_core::http::{Request, Response, StatusCode};
use crossws_core::{
    Bytes, Closed, DropCause, Dropped, Error, HookResult, Hooks, Hub, Message, OnError, Overflow,
    Peer, Rejection, Resolution, Resolve, Subscription, Upgrade, UpgradeRequest, hooks,
};
use crossws_memory::TestServer;

use crate::common::*;

/// Logs when it runs, and refuses if a header says so.
struct Note(&'static str, Log);

impl Layer for Note {
    async fn before(&self, request: &mut UpgradeRequest) -> Result<(), Rejection> {
        self.1.add(self.0);
        match request.header("x-refuse") {
            Some(name) if name == self.0 => {
                let response = Response::builder().status(418).header("x-by", self.0);
                Err(response.body(self.0)?.into())
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn layers_run_from_the_outside_in_whatever_the_order_of_the_calls() {
    let log = Log::default();
    let note = |name| Note(name, log.clone());
    let upgrade = {
        let log = log.clone();
        hooks().on_upgrade(move |_| {
            log.add("upgrade");
            async { Ok(Upgrade::new()) }
        })
    };
    let inner = Router::new()
        .route(
            "/a",
            route(upgrade).layer(note("route 1")).layer(note("route 2")),
        )
        .layer(note("inner"));
    let router = Router::new()
        .layer(note("outer 1"))
        .nest("/in", inner)
        .route("/out", says("out"))
        .layer(note("outer 2"));
    let server = TestServer::new(router);
    block_on(async {
        let _client = server.connect("/in/a").await.unwrap();
        let all = [
            "outer 1", "outer 2", "inner", "route 1", "route 2", "upgrade",
        ];
        assert_eq!(log.take(), all);

        let _client = server.connect("/out").await.unwrap();
        assert_eq!(log.take(), ["outer 1", "outer 2"]);

        let refusal = server.connect("/in/a").header("x-refuse", "inner").await;
        let response = refusal.unwrap_err().into_response();
        assert_eq!(response.status(), 418);
        assert_eq!(response.headers()["x-by"], "inner");
        assert_eq!(response.body(), "inner");
        assert_eq!(log.take(), ["outer 1", "outer 2", "inner"]);
    });
}

struct User(&'static str);

async fn user(request: &mut UpgradeRequest) -> Result<(), StatusCode> {
    let id = request.params().get("id").unwrap_or("nobody");
    let user = match id {
        "7" => User("ann"),
        _ => return Err(StatusCode::FORBIDDEN),
    };
    request.attach(user);
    Ok(())
}

#[test]
fn what_a_layer_attaches_is_read_by_every_hook() {
    let app = hooks()
        .on_upgrade(|request| async move {
            let user = request.attached::<User>().map_err(Rejection::internal)?;
            Ok(Upgrade::new().header("x-user", user.0)?)
        })
        .on_open(|peer| async move {
            let user = peer.attached::<User>()?;
            peer.send(user.0)?;
            HookResult::Ok(())
        });
    let server = TestServer::new(Router::new().before(user).route("/users/{id}", app));
    block_on(async {
        let mut client = server.connect("/users/7").await.unwrap();
        assert_eq!(client.response().headers()["x-user"], "ann");
        assert_eq!(first_text(&mut client).await, "ann");
        let refusal = server.connect("/users/8").await.unwrap_err();
        assert_eq!(refusal.status(), 403);
    });
    assert!(
        server.hub().stats().accepted == 1,
        "a refusal makes no peer"
    );
}

#[test]
fn closures_are_layers() {
    let log = Log::default();
    let captured = log.clone();
    let router = Router::new()
        .before(async |request: &mut UpgradeRequest| {
            request.attach(1u8);
        })
        .before(move |request: &mut UpgradeRequest| {
            let (log, path) = (captured.clone(), request.path().to_owned());
            async move {
                log.add(path);
                Ok::<(), Rejection>(())
            }
        })
        .route("/a", says("a"));
    expect(router, &[("/a", "a")]);
    assert_eq!(log.take(), ["/a"]);
}

#[test]
fn a_layer_runs_after_the_origin_was_checked_and_within_the_deadline() {
    let log = Log::default();
    let router = Router::new()
        .layer(Note("layer", log.clone()))
        .route("/a", says("a"))
        .nest(
            "/slow",
            Router::new()
                .before(async |_: &mut UpgradeRequest| std::future::pending::<()>().await)
                .route("/", says("slow")),
        );
    let server = TestServer::new(router);
    block_on(async {
        let refusal = server.connect("/a").origin("https://evil.example").await;
        assert_eq!(refusal.unwrap_err().status(), 403);
        assert_eq!(log.take(), [] as [&str; 0]);

        let slow = server.connect("/slow").into_future();
        let deadline = server.advance(std::time::Duration::from_secs(10));
        let (slow, ()) = futures_lite::future::zip(slow, deadline).await;
        assert_eq!(slow.unwrap_err().status(), 503);
    });
}

#[test]
fn a_panic_in_a_layer_is_a_500() {
    async fn panics(_: &mut UpgradeRequest) {
        panic!("on purpose");
    }
    let server = TestServer::new(Router::new().before(panics).route("/", says("")));
    assert_eq!(answer(&server, "/"), "500");
}

/// Logs every hook. Fails in `message` if the text says so, and keeps the peer.
#[derive(Clone)]
struct Recorder(&'static str, Log);

impl Recorder {
    fn saw(&self, what: impl std::fmt::Display) {
        self.1.add(format!("{} {what}", self.0));
    }
}

impl Hooks for Recorder {
    async fn start(&self, _: &Hub) -> HookResult {
        self.saw("start");
        Ok(())
    }
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        self.saw(format_args!("upgrade {}", request.path()));
        Ok(Upgrade::new().header("x-by", self.0)?.topic(self.0))
    }
    async fn open(&self, _: &Peer) -> HookResult {
        self.saw("open");
        Ok(())
    }
    async fn message(&self, _: &Peer, message: Message) -> HookResult {
        self.saw(format_args!("message {message}"));
        match message.text() {
            Ok(text) if text == format!("fail {}", self.0) => Err("failed".into()),
            _ => Ok(()),
        }
    }
    async fn drain(&self, _: &Peer) -> HookResult {
        self.saw("drain");
        Ok(())
    }
    async fn ping(&self, _: &Peer, data: Bytes) -> HookResult {
        self.saw(format_args!("ping {data:?}"));
        Ok(())
    }
    async fn pong(&self, _: &Peer, data: Bytes) -> HookResult {
        self.saw(format_args!("pong {data:?}"));
        Ok(())
    }
    async fn subscription(&self, _: &Peer, subscription: Subscription) -> HookResult {
        self.saw(format_args!("subscription {}", subscription.topic));
        Ok(())
    }
    async fn dropped(&self, _: &Peer, dropped: Dropped) -> HookResult {
        self.saw(format_args!("dropped {}", dropped.messages));
        Ok(())
    }
    async fn timer(&self, _: &Peer, name: &str) -> HookResult {
        self.saw(format_args!("timer {name}"));
        Ok(())
    }
    async fn close(&self, _: &Peer, closed: Closed) -> HookResult {
        self.saw(format_args!("close {}", closed.code));
        Err("failed".into())
    }
    async fn error(&self, _: &Peer, error: Error) -> OnError {
        self.saw(format_args!("error {:?}", error.kind()));
        OnError::Keep
    }
}

/// Runs every hook of the route of `/in/a`, with a peer of the server, and returns the log.
fn every_hook(router: Router, log: &Log) -> Vec<String> {
    let server = TestServer::new(says("peer"));
    let _client = block_on(async { server.connect("/").await.unwrap() });
    let peer = server.hub().peers().remove(0);
    let router = Arc::new(router);
    block_on(async {
        Resolve::start(&router, server.hub()).await.unwrap();
        let request = Request::get("/in/a").body(()).unwrap();
        let mut request = UpgradeRequest::new(request.into_parts().0);
        let Resolution::Route(route) = router.resolve(&mut request).await else {
            panic!("no route");
        };
        let hooks = route.hooks();
        let _ = hooks.upgrade(&request).await;
        let dropped = Dropped::new(3, DropCause::Overflow(Overflow::DropOldest));
        let error = Error::protocol("bad frame");
        let results = [
            hooks.open(&peer).await,
            hooks.message(&peer, "m".into()).await,
            hooks.drain(&peer).await,
            hooks.ping(&peer, "i".into()).await,
            hooks.pong(&peer, "o".into()).await,
            hooks.dropped(&peer, dropped).await,
            hooks.timer(&peer, "t").await,
        ];
        assert!(results.iter().all(Result::is_ok));
        assert!(hooks.close(&peer, Closed::by_client(None)).await.is_err());
        assert_eq!(hooks.error(&peer, error).await, OnError::Keep);
    });
    log.take()
}

const EVERY: [&str; 11] = [
    "start",
    "upgrade /in/a",
    "open",
    "message m",
    "drain",
    "ping b\"i\"",
    "pong b\"o\"",
    "dropped 3",
    "timer t",
    "close 1005",
    "error Protocol",
];

#[test]
fn every_hook_is_forwarded_through_layers() {
    let log = Log::default();
    let recorder = Recorder("app", log.clone());
    let router = Router::new()
        .layer(Note("layer", Log::default()))
        .wrap(Arc::new)
        .nest(
            "/in",
            Router::new().route("/a", route(recorder).wrap(Box::new)),
        );
    assert_eq!(
        every_hook(router, &log),
        EVERY.map(|hook| format!("app {hook}"))
    );
}

#[test]
fn global_hooks_run_before_those_of_the_route() {
    let log = Log::default();
    let recorder = |name| Recorder(name, log.clone());
    let inner = Router::new()
        .route("/a", recorder("route"))
        .global(recorder("inner"));
    let router = Router::new().nest("/in", inner).global(recorder("outer"));
    let expected = EVERY.iter().flat_map(|hook| match *hook {
        "error Protocol" => vec!["route error Protocol".to_owned()],
        // Once each, the global ones first: in the order in which they were added.
        "start" => ["inner", "outer", "route"]
            .map(|by| format!("{by} start"))
            .to_vec(),
        hook => ["outer", "inner", "route"]
            .map(|by| format!("{by} {hook}"))
            .to_vec(),
    });
    assert_eq!(every_hook(router, &log), expected.collect::<Vec<_>>());
}

#[test]
fn accepted_upgrades_of_global_hooks_and_the_route_add_up() {
    let log = Log::default();
    let accepts = |name: &'static str, namespace: Option<&'static str>| {
        hooks().on_upgrade(move |_| async move {
            let upgrade = Upgrade::new().header("x-by", name)?.topic(name);
            let upgrade = upgrade.context(name.to_owned()).extension(name);
            Ok(match namespace {
                Some(namespace) => upgrade.namespace(namespace),
                None => upgrade,
            })
        })
    };
    let shows = accepts("route", None).on_open(|peer| async move {
        let (context, extension) = (peer.context::<String>()?, peer.attached::<&str>()?);
        peer.send(format!(
            "{} {:?} {context} {extension}",
            peer.namespace(),
            peer.topics()
        ))?;
        HookResult::Ok(())
    });
    let router = Router::new()
        .global(accepts("global", Some("shared")))
        .route("/", shows)
        .route("/recorded", Recorder("route", log.clone()));
    let server = TestServer::new(router);
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        let by = client.response().headers().get_all("x-by");
        assert!(by.iter().eq(["global", "route"]));
        assert_eq!(
            first_text(&mut client).await,
            "shared [\"global\", \"route\"] route route"
        );
        log.take();

        let mut client = server.connect("/recorded").await.unwrap();
        client.send("last").unwrap();
        client.close_without_code();
        client.closed().await;
        server.settle().await;
        let recorded = log.take();
        assert!(
            recorded.contains(&"route subscription global".to_owned()),
            "{recorded:?}"
        );
    });
}

#[test]
fn what_a_global_hook_refuses_or_fails_does_not_reach_the_route() {
    let log = Log::default();
    let recorder = |name| Recorder(name, log.clone());
    let refuses = hooks().on_upgrade(|request| async move {
        match request.query() {
            Some("refuse") => Err(StatusCode::FORBIDDEN.into()),
            Some("pass") => Ok(Upgrade::pass()),
            _ => Ok(Upgrade::new()),
        }
    });
    let router = Router::new()
        .global(refuses)
        .global(recorder("global"))
        .route("/", recorder("route"));
    let server = TestServer::new(router);
    block_on(async {
        let refusal = server.connect("/?refuse").await.unwrap_err();
        assert_eq!(refusal.status(), 403);
        let passed = server.connect("/?pass").await.unwrap_err();
        assert!(passed.is_unclaimed());
        assert_eq!(log.take(), ["global start", "route start"]);

        let mut client = server.connect("/").await.unwrap();
        server.settle().await;
        log.take();
        client.send("fail global").unwrap();
        client.send("fail route").unwrap();
        server.settle().await;
        assert_eq!(
            log.take(),
            [
                "global message fail global",
                "route error Hook(Message)",
                "global message fail route",
                "route message fail route",
                "route error Hook(Message)",
            ]
        );
    });
}
