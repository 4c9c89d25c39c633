//! Hooks that run before those of each route.

use crossws_app::Router;
use crossws_core::http::StatusCode;
use crossws_core::{HookResult, Upgrade, hooks};
use crossws_memory::TestServer;

use crate::common::*;
use crate::recorder::{EVERY, Recorder, every_hook};

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
