use crossws_app::{PeerExt, RequestExt, Router, route};
use crossws_core::{HookResult, Upgrade, hooks};
use crossws_memory::TestServer;
use serde::Deserialize;

use crate::common::*;

#[derive(Debug, Deserialize)]
struct At {
    room: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    page: u32,
    #[serde(default)]
    tag: Vec<String>,
}

#[test]
fn hooks_read_the_path_the_query_and_cookies() {
    let app = hooks()
        .on_upgrade(|request| async move {
            let (room,): (u32,) = request.path_as()?;
            Ok(Upgrade::new().header("x-room", &room.to_string())?)
        })
        .on_open(|peer| async move {
            let At { room } = peer.path()?;
            let Search { page, tag } = peer.query()?;
            let session = peer.cookie("session").unwrap_or("none");
            peer.send(format!("{room} {page} {tag:?} {session}"))?;
            HookResult::Ok(())
        });
    let server = TestServer::new(Router::new().route("/rooms/{room}", app));
    block_on(async {
        let connect = server.connect("/rooms/7?tag=a&page=2&tag=b%20c");
        let connect = connect.header("cookie", "x=\u{fffd}; y=1");
        let mut client = connect.header("cookie", "session=s").await.unwrap();
        assert_eq!(client.response().headers()["x-room"], "7");
        assert_eq!(first_text(&mut client).await, "7 2 [\"a\", \"b c\"] s");
    });
}

#[test]
fn a_bad_path_or_query_is_a_400_before_any_hook() {
    let log = Log::default();
    let app = {
        let log = log.clone();
        hooks()
            .on_upgrade(move |_| {
                log.add("upgrade");
                async { Ok(Upgrade::new()) }
            })
            .on_open(|peer| async move {
                let (at, search) = (peer.attached::<At>()?, peer.attached::<Search>()?);
                peer.send(format!("{} {}", at.room, search.page))?;
                HookResult::Ok(())
            })
    };
    let app = route(app).path::<At>().query::<Search>();
    let server = TestServer::new(Router::new().route("/rooms/{room}", app));
    let long = format!("page=1&{}", "a&".repeat(4_000));
    for (target, text) in [
        (
            "/rooms/x?page=1",
            "the path's parameters: `room` is not valid: expected a whole number from 0 on, of 32 bits",
        ),
        ("/rooms/7", "the query: `page` is missing"),
        (
            "/rooms/7?page=1&page=2",
            "the query: `page` has several values where one is wanted",
        ),
        ("/rooms/7?page=1&sort=up", "the query: `sort` is unknown"),
        (
            "/rooms/7?page=%FF",
            "the query: `page` is not UTF-8 when it is percent-decoded",
        ),
        (&format!("/rooms/7?{long}"), "the query: `a` is unknown"),
    ] {
        let refusal = block_on(async { server.connect(target).await.unwrap_err() });
        assert_eq!(refusal.status(), 400, "{text}");
        assert_eq!(refusal.response().body(), text);
    }
    assert_eq!(log.take(), [] as [&str; 0]);
    assert_eq!(answer(&server, "/rooms/7?page=3"), "7 3");
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Room {
    room: u32,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
struct Door {
    door: u32,
}

#[test]
fn what_a_client_can_ask_for_wrongly_is_a_4xx_that_names_it_before_any_hook() {
    let log = Log::default();
    let heard = |log: &Log| {
        let log = log.clone();
        hooks().on_upgrade(move |_| {
            log.add("upgrade");
            async { Ok(Upgrade::new()) }
        })
    };
    let app = Router::new()
        .route("/rooms/{room}/{wing}", route(heard(&log)).path::<Room>())
        .route("/doors/{room}", route(heard(&log)).path::<Door>())
        .route("/search", route(heard(&log)).query::<Search>())
        .route("/files/{*rest}", heard(&log));
    let server = TestServer::new(app);
    let segments = format!("/files{}", "/a".repeat(10_000));
    let query = format!("/search?page=1&tag={}", "a".repeat(16 << 10));
    for (target, status, said) in [
        (
            "/files/%FF",
            400,
            "the path is not UTF-8 when it is percent-decoded",
        ),
        (
            &segments,
            414,
            "the path and the query are too long: 20006 bytes, at most 8192 are allowed",
        ),
        (
            &query,
            414,
            "the path and the query are too long: 16403 bytes, at most 8192 are allowed",
        ),
        (
            "/search?page=1&page=2",
            400,
            "the query: `page` has several values where one is wanted",
        ),
        ("/search", 400, "the query: `page` is missing"),
        (
            "/search?page=1&sort=up",
            400,
            "the query: `sort` is unknown",
        ),
        (
            "/rooms/7/east",
            400,
            "the path's parameters: `wing` is unknown",
        ),
        ("/doors/7", 400, "the path's parameters: `door` is missing"),
    ] {
        let refusal = block_on(async { server.connect(target).await.unwrap_err() });
        assert_eq!(refusal.status(), status, "{said}");
        assert_eq!(refusal.response().body(), said);
    }
    assert_eq!(log.take(), [] as [&str; 0]);
}
