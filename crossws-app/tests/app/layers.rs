use std::sync::Arc;

use crossws_app::{Layer, Router, route};
use crossws_core::http::{Response, StatusCode};
use crossws_core::{HookResult, Rejection, Upgrade, UpgradeRequest, hooks};
use crossws_memory::TestServer;

use crate::common::*;
use crate::recorder::{EVERY, Recorder, every_hook};

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
