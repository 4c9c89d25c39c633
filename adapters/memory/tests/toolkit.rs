//! What tests are written with: expectations, typed clients, calls, rooms, seeds, injected users.

#![allow(clippy::unwrap_used)]

mod common;

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Gate, Log, block_on};
use crossws_app::calls::{Failure, PeerCalls, calls};
use crossws_app::{RequestExt, Router, TypedPeer, messages, route, typed};
use crossws_core::http::StatusCode;
use crossws_core::{
    BoxError, CloseCode, Hooks, Json, Peer, PeerId, Rejection, UpgradeRequest, hooks, ok,
};
use crossws_memory::{NotHeard, TestServer, seeds};
use serde::{Deserialize, Serialize};
use serde_json::json;

fn echo() -> impl Hooks {
    hooks().on_message(|peer, message| async move { peer.send(message) })
}

/// The message of a panic.
fn panics(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[test]
fn a_message_is_compared_as_json_where_it_is_that() {
    block_on(async {
        let mut client = TestServer::new(echo()).connect("/").await.unwrap();
        client.send(r#"{"b": 2, "a": [1]}"#).unwrap();
        client.send("plain").unwrap();
        client.send(b"bytes".to_vec()).unwrap();
        client.expect(Json(json!({ "a": [1], "b": 2 }))).await;
        client.expect("plain").await;
        client.expect(b"bytes".to_vec()).await;
        client.expect_nothing().await;
        client.send(r#"{"a":1}"#).unwrap();
        assert_eq!(client.next_json::<Sum>().await.unwrap(), Sum { a: 1 });
        client.send("1").unwrap();
        client.send("2").unwrap();
        assert_eq!(client.heard_json::<u8>().await.unwrap(), [1, 2]);
        client.send("x").unwrap();
        let error = client.next_json::<Sum>().await.unwrap_err();
        assert!(error.to_string().starts_with("`x` arrived: "), "{error}");
    });
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sum {
    a: u8,
}

#[test]
fn what_is_not_heard_fails_with_both_messages_and_the_line() {
    let said = |expected: &'static str, sent: &'static str| {
        panics(|| {
            block_on(async {
                let mut client = TestServer::new(echo()).connect("/").await.unwrap();
                client.send(sent).unwrap();
                client.expect(expected).await;
            });
        })
    };
    let text = said("2", "1");
    assert!(text.contains("expected `2`, heard `1`"), "{text}");
    assert!(text.contains("toolkit.rs:"), "{text}");
    // Text is not bytes, and JSON not another JSON.
    said(r#"{"a":1}"#, r#"{"a":1,"b":2}"#);
    let silent = panics(|| {
        block_on(async {
            let app = hooks().on_open(|peer| async move { peer.send("hello") });
            let mut client = TestServer::new(app).connect("/").await.unwrap();
            client.expect_nothing().await;
        });
    });
    assert!(silent.contains("heard `hello`"), "{silent}");
}

#[test]
fn what_never_comes_is_a_failure_after_the_patience() {
    block_on(async {
        let patience = Duration::from_millis(20);
        let builder = TestServer::builder(hooks().on_message(|_, _| pending::<()>()));
        let server = builder.patience(patience).build();
        let mut client = server.connect("/").await.unwrap();
        client.send("x").unwrap();
        let missed = client.next_json::<u8>().await;
        assert!(matches!(missed, Err(NotHeard::Nothing(limit)) if limit == patience));
        assert_eq!(server.now(), Duration::ZERO);
        client.close(CloseCode::NORMAL, "");
        let server = TestServer::new(hooks().on_message(|peer: Peer, _| async move {
            peer.close(CloseCode::AWAY, "bye");
        }));
        let mut client = server.connect("/").await.unwrap();
        client.send("x").unwrap();
        let ended = client.next_json::<u8>().await.unwrap_err();
        assert_eq!(ended.to_string(), "the connection ended with 1001 `bye`");
    });
}

#[test]
fn a_hook_that_waits_for_another_thread_is_waited_for() {
    block_on(async {
        let gate = Gate::default();
        let server = {
            let gate = gate.clone();
            TestServer::new(hooks().on_message(move |peer: Peer, _| {
                let gate = gate.clone();
                async move {
                    gate.passed().await;
                    peer.send("at last")
                }
            }))
        };
        let mut client = server.connect("/").await.unwrap();
        client.send("x").unwrap();
        client.expect_nothing().await;
        let thread = std::thread::spawn(move || gate.open());
        client.expect("at last").await;
        thread.join().unwrap();
    });
}

#[test]
fn a_typed_client_says_and_hears_the_apps_types() {
    block_on(async {
        let app = messages().on_message(|peer: TypedPeer<Sum>, (a, b): (u8, u8)| async move {
            peer.send(Sum { a: a + b })
        });
        let server = TestServer::new(typed(app));
        let mut client = server.connect("/").await.unwrap().typed::<Sum, (u8, u8)>();
        client.send((1, 2)).unwrap();
        client.expect(Sum { a: 3 }).await;
        client.send((2, 2)).unwrap();
        client.send((3, 2)).unwrap();
        assert_eq!(client.heard().await.unwrap(), [Sum { a: 4 }, Sum { a: 5 }]);
        client.expect_nothing().await;
        client.untyped().send("nothing typed").unwrap();
        assert_eq!(client.closed().await.code, 1007);
    });
}

#[test]
fn calls_go_in_both_directions_and_keep_what_is_not_waited_for() {
    for rpc in [false, true] {
        block_on(async {
            let app = calls(hooks())
                .method("add", |peer: Peer, (a, b): (i64, i64)| async move {
                    peer.emit("adding", [a, b])?;
                    Ok::<_, BoxError>(a + b)
                })
                .method("fail", |_: Peer, _: Vec<u8>| async move {
                    Err::<(), _>(Failure::new(7, "no"))
                })
                .method("turn", |peer: Peer, _: Vec<u8>| async move {
                    peer.call::<String>("your-turn", ["board"]).await
                });
            let app = if rpc { app.json_rpc() } else { app };
            let client = TestServer::new(app).connect("/").await.unwrap().calls();
            let mut client = if rpc { client.json_rpc() } else { client };
            assert_eq!(client.call::<i64>("add", (2, 3)).await.unwrap(), 5);
            let event: [i64; 2] = client.event("adding").await.unwrap();
            assert_eq!(event, [2, 3]);
            let failed = client.call::<()>("fail", [0u8; 0]).await.unwrap_err();
            assert!(failed.to_string().contains("no (7)"), "{failed}");
            let turn = async {
                client.emit("nothing", json!({})).unwrap();
                client
                    .untyped()
                    .send(match rpc {
                        true => r#"{"jsonrpc":"2.0","method":"turn","params":[],"id":"t"}"#,
                        false => r#"{"call":"turn","args":[],"id":"t"}"#,
                    })
                    .unwrap();
                let asked = client.asked::<Vec<String>>("your-turn").await.unwrap();
                assert_eq!(asked.args, ["board"]);
                client.answer(asked, "e4").unwrap();
                client.untyped().next_json::<serde_json::Value>().await
            };
            assert_eq!(turn.await.unwrap()["result"], "e4");
        });
    }
}

struct User(&'static str);

/// How often the layer ran.
static ASKED: AtomicUsize = AtomicUsize::new(0);

async fn signed_in(_: &mut UpgradeRequest) -> Result<(), Rejection> {
    ASKED.fetch_add(1, Ordering::Relaxed);
    Err(StatusCode::UNAUTHORIZED.into())
}

fn private() -> Router {
    #[derive(Deserialize)]
    struct Query {
        page: u8,
    }
    let says = hooks().on_open(|peer| async move {
        let (user, query) = (peer.attached::<User>()?, peer.attached::<Query>()?);
        peer.send(format!("{} {}", user.0, query.page))?;
        ok()
    });
    let by_function = async |request: &UpgradeRequest| request.bearer_token().is_ok();
    Router::new()
        .before(signed_in)
        .authenticate(by_function)
        .route("/", route(says).query::<Query>())
}

#[test]
fn an_injected_user_needs_no_authentication_and_all_else_runs() {
    block_on(async {
        let server = TestServer::new(private());
        assert_eq!(server.connect("/?page=7").await.unwrap_err().status(), 401);
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
        let mut bob = server
            .connect("/?page=7")
            .attach(User("bob"))
            .await
            .unwrap();
        bob.expect("bob 7").await;
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
        let refusal = server.connect("/").attach(User("bob")).await;
        assert_eq!(refusal.unwrap_err().status(), 400);
    });
}

#[test]
fn a_room_hears_as_one() {
    block_on(async {
        let talk = hooks()
            .on_open(|peer| async move { peer.subscribe("talk").map(drop) })
            .on_message(|peer: Peer, message| async move {
                peer.to("talk").including_self().send(message).map(drop)
            });
        let server = TestServer::new(talk);
        let mut room = server.room(["/a", "/a", "/a"]).await.unwrap();
        let mut elsewhere = server.room(["/b"]).await.unwrap();
        room[1].send("hi").unwrap();
        room.expect("hi").await;
        room.expect_nothing().await;
        elsewhere.expect_nothing().await;
        room.play(async |n, client| {
            client.send(n.to_string()).unwrap();
            let mut heard: Vec<u8> = Vec::new();
            while heard.len() < 3 {
                heard.push(client.next_json().await.unwrap());
            }
            heard.sort_unstable();
            assert_eq!(heard, [0, 1, 2]);
        })
        .await;
        assert!(room.heard().await.iter().all(Vec::is_empty));
    });
}

/// The order in which messages of four clients are heard, and the peers' ids.
async fn order(server: &TestServer, log: &Log) -> (Vec<String>, Vec<PeerId>) {
    let mut room = server.room(["/", "/", "/", "/"]).await.unwrap();
    let ids = room.iter().map(crossws_memory::Client::id).collect();
    log.take();
    room.play(async |n, client| {
        for part in ["a", "b"] {
            client.send(format!("{n}{part}")).unwrap();
            client.next().await.unwrap();
        }
    })
    .await;
    (log.take(), ids)
}

#[test]
fn the_same_seed_is_the_same_order_and_another_is_another() {
    block_on(async {
        let run = async |seed: Option<u64>| {
            let log = Log::default();
            let builder = TestServer::builder(log.hooks());
            let server = match seed {
                Some(seed) => builder.seed(seed).build(),
                None => builder.build(),
            };
            order(&server, &log).await
        };
        let mut orders = std::collections::HashSet::new();
        for seed in 0..20 {
            let first = run(Some(seed)).await;
            assert_eq!(first, run(Some(seed)).await, "seed {seed}");
            orders.insert(first.0);
        }
        assert!(orders.len() > 10, "{} orders", orders.len());
        assert_eq!(run(None).await.0, run(None).await.0);
        assert_ne!(run(None).await.1, run(None).await.1);
    });
}

/// A bug that only some interleavings show: what is read before a pause is written after it.
fn counts(count: &Arc<Mutex<u32>>) -> impl Hooks {
    let count = Arc::clone(count);
    hooks().on_message(move |peer: Peer, _| {
        let count = Arc::clone(&count);
        async move {
            let read = *count.lock().unwrap();
            crossws_core::yield_now().await;
            *count.lock().unwrap() = read + 1;
            peer.send("counted")
        }
    })
}

#[test]
fn seeds_find_a_race_and_name_the_seed() {
    let tried = Mutex::new(Vec::new());
    let lost = panics(|| {
        block_on(seeds(0..100, async |seed| {
            tried.lock().unwrap().push(seed);
            let count = Arc::default();
            let server = TestServer::builder(counts(&count)).seed(seed).build();
            let mut room = server.room(["/", "/"]).await.unwrap();
            room.play(async |_, client| {
                client.send("x").unwrap();
                client.expect("counted").await;
            })
            .await;
            match *count.lock().unwrap() {
                2 => Ok(()),
                lost => Err(format!("{lost} of 2")),
            }
        }));
    });
    let tried = tried.into_inner().unwrap();
    let seed = tried.last().unwrap();
    assert_eq!(lost, format!("the test returned an error with seed {seed}"));
    assert!(tried.len() < 100);
}

#[test]
fn a_test_that_holds_runs_with_every_seed() {
    let tried = Mutex::new(Vec::new());
    block_on(seeds(5..8, async |seed| tried.lock().unwrap().push(seed)));
    assert_eq!(tried.into_inner().unwrap(), [5, 6, 7]);
}
