//! Opening a connection: requests, responses, refusals.

// Tests state what must hold; their helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Log, block_on};
use crossws_core::adapter::FromConnection;
use crossws_core::{
    Limits, Origin, PeerId, Rejection, Upgrade, UpgradeRequest, hooks, resolve_with,
};
use crossws_memory::{ConnectError, TestServer};
use futures_lite::future::{poll_once, zip};
use http::{Request, StatusCode};

#[test]
fn the_hook_sees_the_request_of_a_client() {
    block_on(async {
        let seen = Arc::new(Mutex::new(None));
        let server = {
            let seen = Arc::clone(&seen);
            TestServer::new(hooks().on_upgrade(move |request: UpgradeRequest| {
                *seen.lock().unwrap() = Some(request);
                async { Ok(Upgrade::new()) }
            }))
        };
        let addr: SocketAddr = "203.0.113.7:1234".parse().unwrap();
        let client = server
            .connect("/rooms/1?as=ada")
            .header("X-User", "ada")
            .protocols(["v2", "v1"])
            .remote_addr(addr)
            .await
            .unwrap();
        let request = seen.lock().unwrap().take().unwrap();
        assert_eq!(request.url(), "http://localhost/rooms/1?as=ada");
        assert_eq!(request.websocket_url(), "ws://localhost/rooms/1?as=ada");
        assert_eq!(request.header("x-user"), Some("ada"));
        assert_eq!(request.header("upgrade"), Some("websocket"));
        assert_eq!(request.header("connection"), Some("Upgrade"));
        assert_eq!(request.header("sec-websocket-version"), Some("13"));
        assert_eq!(request.protocols().collect::<Vec<_>>(), ["v2", "v1"]);
        let peer = server.hub().peer(client.id()).unwrap();
        assert_eq!(peer.remote_addr(), Some(addr));
        assert_eq!(client.protocol(), None, "nothing is chosen by itself");
    });
}

#[test]
fn a_whole_url_sets_host_and_scheme() {
    block_on(async {
        let server = TestServer::new(hooks());
        let client = server.connect("wss://chat.example/a?b=c").await.unwrap();
        let peer = server.hub().peer(client.id()).unwrap();
        assert_eq!(peer.request().websocket_url(), "wss://chat.example/a?b=c");
        assert_eq!(peer.namespace(), "/a");
        let client = server.connect("/").secure().await.unwrap();
        let peer = server.hub().peer(client.id()).unwrap();
        assert_eq!(peer.request().url(), "https://localhost/");
    });
}

#[test]
fn a_custom_request_keeps_its_headers_and_extensions() {
    block_on(async {
        let server = TestServer::new(hooks());
        let request = Request::get("/own").header("host", "example.org:81");
        let request = request.extension(5_u8).body(()).unwrap();
        let client = server.connect_with(request).await.unwrap();
        let peer = server.hub().peer(client.id()).unwrap();
        assert_eq!(peer.request().url(), "http://example.org:81/own");
        assert_eq!(peer.request().parts().extensions.get(), Some(&5_u8));
    });
}

#[test]
fn the_response_has_the_hooks_headers() {
    block_on(async {
        let id = PeerId::from_u128(7);
        let server = TestServer::new(hooks().on_upgrade(
            move |request: UpgradeRequest| async move {
                Ok(Upgrade::new()
                    .header("set-cookie", "a=1")?
                    .header("set-cookie", "b=2")?
                    .protocol(request.choose_protocol(&["v1"]))
                    .namespace("lobby")
                    .id(id))
            },
        ));
        let connect = server.connect("/").protocol("v2").protocol("v1");
        let client = connect.await.unwrap();
        let headers = client.response().headers();
        assert_eq!(client.response().status(), StatusCode::SWITCHING_PROTOCOLS);
        let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(headers["connection"], "Upgrade");
        assert_eq!(headers["upgrade"], "websocket");
        assert_eq!(client.protocol(), Some("v1"));
        assert_eq!(client.id(), id);
        assert_eq!(server.hub().peer(id).unwrap().namespace(), "lobby");
        let again = server.connect("/").protocol("v1").await;
        assert_eq!(again.unwrap_err().status(), StatusCode::CONFLICT);
    });
}

#[test]
fn a_refusal_is_the_hooks_own_response() {
    block_on(async {
        let server =
            TestServer::new(hooks().on_upgrade(|_| async {
                Err(Rejection::unauthorized("Bearer realm=\"crossws\""))
            }));
        let refusal = server.connect("/").await.unwrap_err();
        assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
        assert!(!refusal.is_unclaimed());
        let text = "the server refused with 401 Unauthorized: unauthorized";
        assert_eq!(refusal.to_string(), text);
        let response = refusal.into_response();
        let challenge = &response.headers()["www-authenticate"];
        assert_eq!(challenge, "Bearer realm=\"crossws\"");
        assert_eq!(server.hub().stats().accepted, 0);
    });
}

#[test]
fn an_unclaimed_request_is_distinguished() {
    block_on(async {
        let app = Arc::new(hooks());
        let server = TestServer::new(resolve_with(move |request| {
            (request.path() == "/ws").then(|| Arc::clone(&app))
        }));
        assert!(server.connect("/ws").await.is_ok());
        let refusal = server.connect("/other").await.unwrap_err();
        assert!(refusal.is_unclaimed());
        assert_eq!(refusal.status(), StatusCode::NOT_FOUND);
        assert_eq!(refusal.unclaimed_request().unwrap().path(), "/other");
    });
}

#[test]
fn the_origin_policy_is_kept() {
    block_on(async {
        let server = TestServer::new(hooks());
        let status = async |origin| match server.connect("/").origin(origin).await {
            Ok(client) => client.response().status(),
            Err(refusal) => refusal.status(),
        };
        assert_eq!(status("http://localhost").await, 101);
        assert_eq!(status("http://evil.example").await, 403);
        assert_eq!(status("null").await, 403);
        let server = TestServer::builder(hooks()).origin(Origin::Any).build();
        assert!(
            server
                .connect("/")
                .origin("http://evil.example")
                .await
                .is_ok()
        );
    });
}

#[test]
fn an_invalid_request_gets_400() {
    block_on(async {
        let server = TestServer::new(hooks());
        let attempts = [
            server.connect("no slash"),
            server.connect("noslash"),
            server.connect(""),
            server.connect("/").header("bad name", "x"),
            server.connect("/").header("x", "a\r\nb: c"),
        ];
        for attempt in attempts {
            let shown = format!("{attempt:?}");
            let status = attempt.await.unwrap_err().status();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{shown}");
        }
    });
}

#[test]
fn a_slow_upgrade_is_answered_with_503() {
    block_on(async {
        let log = Log::default();
        let server = {
            let log = log.clone();
            TestServer::new(hooks().on_upgrade(move |_| {
                let dropped = OnDrop(log.clone());
                async move {
                    let _dropped = dropped;
                    std::future::pending().await
                }
            }))
        };
        let mut connecting = server.connect("/").into_future();
        assert!(poll_once(&mut connecting).await.is_none());
        server.advance(Duration::from_millis(9_999)).await;
        assert!(poll_once(&mut connecting).await.is_none());
        server.advance(Duration::from_millis(1)).await;
        let refusal = connecting.await.unwrap_err();
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refusal.response().headers()["retry-after"], "5");
        assert_eq!(log.take(), ["dropped"]);
    });
}

#[test]
fn an_upgrade_that_takes_virtual_time_succeeds() {
    block_on(async {
        let server = slow_upgrade();
        let connecting = server.connect("/").into_future();
        let (client, ()) = zip(connecting, server.advance(Duration::from_secs(3))).await;
        assert!(client.is_ok());
    });
}

#[test]
fn a_client_that_leaves_during_the_upgrade_leaves_no_trace() {
    block_on(async {
        let server = slow_upgrade();
        let mut connecting = server.connect("/").into_future();
        assert!(poll_once(&mut connecting).await.is_none());
        drop(connecting);
        server.advance(Duration::from_secs(5)).await;
        assert_eq!(server.hub().stats().accepted, 0);
    });
}

fn slow_upgrade() -> TestServer {
    let clock = Arc::new(std::sync::OnceLock::<TestServer>::new());
    let held = Arc::clone(&clock);
    let server = TestServer::new(hooks().on_upgrade(move |_| {
        let server = held.get().unwrap().clone();
        async move {
            server.sleep(Duration::from_secs(2)).await;
            Ok(Upgrade::new())
        }
    }));
    clock.set(server.clone()).unwrap();
    server
}

#[test]
fn a_full_hub_refuses() {
    block_on(async {
        let limits = Limits::default().max_peers(1);
        let server = TestServer::builder(hooks()).limits(limits).build();
        let client = server.connect("/").await.unwrap();
        let refusal = server.connect("/").await.unwrap_err();
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(client);
        assert!(server.connect("/").await.is_ok(), "the first one is gone");

        let limits = Limits::default().max_namespaces(1);
        let server = TestServer::builder(hooks()).limits(limits).build();
        let _client = server.connect("/one").await.unwrap();
        let refusal = server.connect("/two").await.unwrap_err();
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    });
}

#[test]
fn a_panicking_upgrade_is_a_500() {
    block_on(async {
        let server = TestServer::new(hooks().on_upgrade(|_| async { panic!("at the door") }));
        let refusal: ConnectError = server.connect("/").await.unwrap_err();
        assert_eq!(refusal.status(), StatusCode::INTERNAL_SERVER_ERROR);
    });
}

struct OnDrop(Log);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add("dropped");
    }
}

#[test]
fn refusals_are_counted_by_their_reason() {
    block_on(async {
        let app = hooks().on_upgrade(|request| async move {
            match request.path() {
                "/no" => Err(Rejection::from(StatusCode::UNAUTHORIZED)),
                "/fails" => Err(Rejection::internal("the database is gone")),
                "/panics" => panic!("a panic in the upgrade hook"),
                _ => Ok(Upgrade::new()),
            }
        });
        let limits = Limits::default().max_peers(1);
        let server = TestServer::builder(app).limits(limits).build();
        for path in ["/no", "/fails", "/panics"] {
            assert!(server.connect(path).await.is_err());
        }
        let foreign = server.connect("/").origin("https://elsewhere.example");
        assert_eq!(foreign.await.unwrap_err().status(), 403);
        let _client = server.connect("/").await.unwrap();
        assert_eq!(server.connect("/").await.unwrap_err().status(), 503);
        let refused = server.hub().stats().refused;
        assert_eq!((refused.origin, refused.rejected), (1, 1));
        assert_eq!((refused.unavailable, refused.failed), (1, 2));
        assert_eq!(refused.total(), 5);
    });
}

#[test]
fn the_toolkit_has_no_stream_to_take() {
    struct Stream;
    impl FromConnection for Stream {
        type Connection = ();
        fn from_connection((): ()) -> Self {
            Self
        }
    }
    block_on(async {
        let hooks = hooks().on_upgrade(|_| async { Ok(Upgrade::take(|_: Stream| async {})) });
        let server = TestServer::new(hooks);
        let error = server.connect("/").await.unwrap_err();
        assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
        server.hub().idle().await;
    });
}
