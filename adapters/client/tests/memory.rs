//! The client in the world of a server for tests, in virtual time.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crossws_app::Router;
use crossws_app::calls::{CallError, Failure, calls};
use crossws_app::rooms::{Allow, rooms};
use crossws_client::{
    Client, ConnectError, Disconnected, Reconnect, Status, TokenIn, WhenClosed, WhileConnecting,
    connect,
};
use crossws_core::http::StatusCode;
use crossws_core::{
    CloseCode, CloseFrame, ClosedBy, Hooks, Limits, Peer, Rejection, SendError, Sent, Shutdown,
    Upgrade, UpgradeRequest, hooks, ok,
};
use crossws_memory::TestServer;
use futures_lite::future::block_on;

fn echo() -> impl Hooks {
    hooks().on_message(|peer, message| async move { peer.send(message) })
}

async fn text(client: &mut Client) -> String {
    client.next().await.unwrap().text().unwrap().to_owned()
}

#[test]
fn messages_go_both_ways_and_a_close_is_clean() {
    block_on(async {
        let server = TestServer::new(echo());
        let mut client = connect("ws://a/room").in_memory(&server).await.unwrap();
        assert_eq!(client.status(), Status::Open);
        client.send("one").unwrap();
        client.send(vec![2]).unwrap();
        assert_eq!(text(&mut client).await, "one");
        assert_eq!(client.next().await.unwrap().as_bytes()[..], [2]);
        client.close(CloseCode::NORMAL, "done");
        assert!(matches!(client.send("late"), Err(SendError::Closed(_))));
        let closed = client.closed().await;
        let Disconnected::Closed(closed) = &*closed else {
            panic!("{closed:?}");
        };
        assert_eq!((closed.code, &*closed.reason), (1000, "done"));
        assert!(closed.clean && closed.by == ClosedBy::Client);
        assert_eq!(client.next().await, None);
        assert_eq!(client.status(), Status::Closed);
    });
}

#[test]
fn the_servers_close_ends_the_client_with_its_code() {
    block_on(async {
        let server = TestServer::new(echo());
        let mut client = connect("ws://a/").in_memory(&server).await.unwrap();
        server.hub().in_all_namespaces().close_all(CloseCode::AWAY);
        assert_eq!(client.next().await, None);
        let Disconnected::Closed(closed) = &*client.closed().await else {
            panic!("it was open");
        };
        assert_eq!(closed.code, 1001);
        assert!(closed.clean && closed.by == ClosedBy::Server);
    });
}

#[test]
fn a_dropped_client_closes_its_connection() {
    block_on(async {
        let server = TestServer::new(echo());
        let client = connect("ws://a/").in_memory(&server).await.unwrap();
        let handle = client.handle();
        assert_eq!(server.hub().peers().len(), 1);
        drop(client);
        server.settle().await;
        assert_eq!(server.hub().peers().len(), 0);
        assert!(matches!(handle.send("late"), Err(SendError::Closed(_))));
    });
}

#[test]
fn a_refusal_has_its_status_and_is_not_tried_again() {
    block_on(async {
        let tries = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&tries);
        let server = TestServer::new(hooks().on_upgrade(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Err::<Upgrade, _>(Rejection::unauthorized("no")) }
        }));
        let client = connect("ws://a/").reconnect(Reconnect::backoff());
        let error = client.in_memory(&server).await.unwrap_err();
        assert_eq!(error.status().unwrap(), 401);
        assert_eq!(tries.load(Ordering::Relaxed), 1);
    });
}

/// Hooks that refuse the first connections with 503.
fn refuses_first(refusals: u32) -> (impl Hooks, Arc<AtomicU32>) {
    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let app = hooks()
        .on_upgrade(move |_| {
            let count = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                match count < refusals {
                    true => Err(Rejection::from(StatusCode::BAD_GATEWAY)),
                    false => Ok(Upgrade::new()),
                }
            }
        })
        .on_message(|peer, message| async move { peer.send(message) });
    (app, tries)
}

#[test]
fn a_client_tries_again_with_back_off_and_sends_what_waited() {
    block_on(async {
        let (app, tries) = refuses_first(3);
        let server = TestServer::new(app);
        let client = connect("ws://a/")
            .reconnect(Reconnect::backoff().first(Duration::from_secs(1)))
            .in_memory(&server);
        let mut client = client.start().unwrap();
        assert!(matches!(
            client.send("early"),
            Ok(Sent::Queued { bytes: 11 })
        ));
        server.settle().await;
        assert_eq!(client.status(), Status::Connecting);
        // Waits of at most 1, 2 and 4 seconds.
        server.advance(Duration::from_secs(7)).await;
        assert_eq!(tries.load(Ordering::Relaxed), 4);
        assert_eq!(client.status(), Status::Open);
        assert_eq!(text(&mut client).await, "early");
    });
}

#[test]
fn the_number_of_tries_is_bounded() {
    block_on(async {
        let (app, tries) = refuses_first(100);
        let server = TestServer::new(app);
        let policy = Reconnect::backoff().tries(3);
        let client = connect("ws://a/").reconnect(policy).in_memory(&server);
        let client = client.start().unwrap();
        server.advance(Duration::from_secs(600)).await;
        assert_eq!(tries.load(Ordering::Relaxed), 4);
        let Disconnected::Failed(error) = &*client.closed().await else {
            panic!("it never opened");
        };
        assert_eq!(error.status().unwrap(), 502);
    });
}

#[test]
fn a_restarting_server_names_the_time_to_come_back() {
    block_on(async {
        let server = TestServer::new(echo());
        let client = connect("ws://a/").reconnect(Reconnect::backoff().most(Duration::ZERO));
        let client = client.in_memory(&server).await.unwrap();
        let frame = CloseFrame::new(CloseCode::RESTART, "restarting");
        let frame = frame.with_retry(Duration::from_secs(90));
        server.hub().in_all_namespaces().close_all(frame);
        server.advance(Duration::from_secs(89)).await;
        assert_eq!(client.status(), Status::Connecting);
        server.advance(Duration::from_secs(2)).await;
        assert_eq!(client.status(), Status::Open);
    });
}

#[test]
fn the_app_decides_about_reconnects() {
    block_on(async {
        let server = TestServer::new(echo());
        let policy = Reconnect::backoff().when(|disconnected| match disconnected {
            Disconnected::Closed(closed) => closed.code != 4001,
            _ => false,
        });
        let client = connect("ws://a/").reconnect(policy).in_memory(&server);
        let client = client.await.unwrap();
        let mut states = client.statuses();
        assert_eq!(states.next().await, Some(Status::Open));
        server
            .hub()
            .in_all_namespaces()
            .close_all(CloseCode::NORMAL);
        server.settle().await;
        assert_eq!(states.next().await, Some(Status::Connecting));
        server.advance(Duration::from_secs(1)).await;
        assert_eq!(states.next().await, Some(Status::Open));
        let code = CloseCode::new(4001).unwrap();
        server.hub().in_all_namespaces().close_all(code);
        server.settle().await;
        assert_eq!(states.next().await, Some(Status::Closed));
        assert_eq!(states.next().await, None);
    });
}

#[test]
fn the_token_and_the_url_are_asked_for_each_try() {
    struct Guarded;
    impl Hooks for Guarded {
        async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
            use crossws_app::RequestExt;
            let path = request.path().to_owned();
            let token = request.bearer_token()?;
            match (path.as_str(), token) {
                ("/2", "token 2") => Ok(Upgrade::new()),
                _ => Err(Rejection::unavailable("another one")),
            }
        }
    }
    block_on(async {
        let server = TestServer::new(Guarded);
        let (urls, tokens) = (AtomicU32::new(0), Arc::new(AtomicU32::new(0)));
        let client = connect(move || format!("ws://a/{}", urls.fetch_add(1, Ordering::Relaxed)))
            .token(move || {
                let tokens = Arc::clone(&tokens);
                async move {
                    Ok::<_, std::io::Error>(format!(
                        "token {}",
                        tokens.fetch_add(1, Ordering::Relaxed)
                    ))
                }
            })
            .reconnect(Reconnect::backoff())
            .in_memory(&server)
            .start()
            .unwrap();
        server.advance(Duration::from_secs(10)).await;
        assert_eq!(client.status(), Status::Open);
    });
}

#[test]
fn tokens_may_be_in_the_query_or_a_subprotocol() {
    struct Guarded;
    impl Hooks for Guarded {
        async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
            use crossws_app::RequestExt;
            let token = match request.path() {
                "/query" => request.query_token("key")?.into_owned(),
                _ => request.protocol_token("bearer")?.to_owned(),
            };
            match token.as_str() {
                "a&b" | "a.b" => Ok(Upgrade::new().protocol("chat")),
                _ => Err(Rejection::from(StatusCode::FORBIDDEN)),
            }
        }
    }
    block_on(async {
        let server = TestServer::new(Guarded);
        let client = connect("ws://a/query?x=1").protocol("chat");
        let client = client.token_in(TokenIn::Query("key".into()), "a&b");
        let client = client.in_memory(&server).await.unwrap();
        assert_eq!(client.protocol().unwrap(), "chat");
        let client = connect("ws://a/protocol").protocols(["chat"]);
        let client = client.token_in(TokenIn::Protocol("bearer".into()), "a.b");
        let _open = client.in_memory(&server).await.unwrap();
        let client = connect("ws://a/protocol");
        let client = client.token_in(TokenIn::Protocol("bearer".into()), "a b");
        let error = client.in_memory(&server).await.unwrap_err();
        assert!(matches!(error, ConnectError::Header(_)), "{error}");
    });
}

#[test]
fn a_limit_that_nothing_could_come_of_is_refused_by_its_name() {
    block_on(async {
        let server = TestServer::new(hooks());
        for (client, name) in [
            (
                connect("ws://a/").heartbeat(Duration::ZERO),
                "`ping_interval`",
            ),
            (
                connect("ws://a/").limits(Limits::default().max_fragments(0)),
                "`max_fragments`",
            ),
        ] {
            let error = client.in_memory(&server).await.unwrap_err();
            assert!(matches!(error, ConnectError::Limit(_)), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        let client = connect("ws://a/").heartbeat(None);
        let _open = client.in_memory(&server).await.unwrap();
    });
}

#[test]
fn a_subprotocol_that_is_no_token_is_refused_by_its_name() {
    block_on(async {
        let server = TestServer::new(hooks());
        for (client, name) in [
            (
                connect("ws://a/").protocols(["chat", "not a token"]),
                "not a token",
            ),
            (connect("ws://a/").protocol(""), "\"\""),
            (
                connect("ws://a/").token_in(TokenIn::Protocol("a marker".into()), "secret"),
                "a marker",
            ),
        ] {
            let error = client.in_memory(&server).await.unwrap_err();
            assert!(matches!(error, ConnectError::Header(_)), "{error}");
            let text = error.to_string();
            assert!(text.contains(name) && !text.contains("secret"), "{text}");
        }
    });
}

#[test]
fn what_happens_without_a_connection_is_a_choice() {
    block_on(async {
        let (app, _) = refuses_first(100);
        let server = TestServer::new(app);
        let start = |policy| {
            let limits = Limits::default().max_buffered(22_usize).max_queued(2_usize);
            let client = connect("ws://a/").while_connecting(policy).limits(limits);
            let client = client.reconnect(Reconnect::backoff());
            client.in_memory(&server).start().unwrap()
        };
        let client = start(WhileConnecting::Queue);
        assert!(client.send("12345").is_ok());
        assert!(
            matches!(client.send("123456"), Err(SendError::Full(message)) if message.as_bytes()[..] == *b"123456")
        );
        assert!(client.send("1").is_ok());
        assert!(matches!(client.send("1"), Err(SendError::Full(_))));
        assert_eq!(client.buffered_amount(), 18, "11 and 7 bytes");
        let client = start(WhileConnecting::Fail);
        assert!(matches!(client.send("1"), Err(SendError::Closed(_))));
        let client = start(WhileConnecting::Drop);
        assert!(matches!(client.send("1"), Ok(Sent::Dropped)));
        let client = connect("ws://a/")
            .when_closed(WhenClosed::Drop)
            .in_memory(&server);
        let client = client.start().unwrap();
        client.close(CloseCode::NORMAL, "");
        assert!(matches!(client.send("1"), Ok(Sent::Dropped)));
    });
}

#[test]
fn a_client_that_is_closed_while_it_waits_ends_at_once() {
    block_on(async {
        let (app, tries) = refuses_first(100);
        let server = TestServer::new(app);
        let client = connect("ws://a/").reconnect(Reconnect::backoff());
        let client = client.in_memory(&server).start().unwrap();
        server.settle().await;
        client.close(CloseCode::NORMAL, "");
        let end = client.closed().await;
        assert!(
            matches!(*end, Disconnected::Failed(ConnectError::Closed)),
            "{end:?}"
        );
        server.advance(Duration::from_secs(600)).await;
        assert_eq!(tries.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn subscriptions_are_made_again_on_a_new_connection() {
    block_on(async {
        let server = TestServer::new(rooms(hooks()).allow("*", Allow::Both));
        let client = connect("ws://a/")
            .reconnect(Reconnect::backoff())
            .in_memory(&server);
        let mut client = client.await.unwrap();
        client.subscribe("talk").unwrap();
        client.subscribe("gone").unwrap();
        assert_eq!(text(&mut client).await, r#"{"subscribed":"talk"}"#);
        assert_eq!(text(&mut client).await, r#"{"subscribed":"gone"}"#);
        client.unsubscribe("gone").unwrap();
        assert_eq!(text(&mut client).await, r#"{"unsubscribed":"gone"}"#);
        server
            .hub()
            .in_all_namespaces()
            .close_all(CloseCode::RESTART);
        server.advance(Duration::from_secs(1)).await;
        assert_eq!(client.status(), Status::Open);
        assert_eq!(text(&mut client).await, r#"{"subscribed":"talk"}"#);
        let peers = server.hub().peers();
        assert_eq!(peers.len(), 1);
        assert_eq!(peers[0].topics().len(), 1);
    });
}

#[test]
fn calls_have_answers_failures_and_ends() {
    let app = || {
        calls(hooks())
            .method("add", |_: Peer, (a, b): (i64, i64)| async move {
                a.checked_add(b).ok_or_else(|| Failure::new(7, "too large"))
            })
            .method("never", |_: Peer, (): ()| {
                std::future::pending::<Result<(), Failure>>()
            })
    };
    block_on(async {
        let server = TestServer::new(app());
        let mut client = connect("ws://a/").in_memory(&server).await.unwrap();
        assert_eq!(client.call::<i64>("add", (2, 3)).await.unwrap(), 5);
        let error = client.call::<i64>("add", (i64::MAX, 1)).await.unwrap_err();
        assert!(matches!(error, CallError::Failed(failure) if failure.code == 7));
        let error = client.call::<String>("add", (2, 3)).await.unwrap_err();
        assert!(matches!(error, CallError::Decode(_)), "{error}");
        let call = client
            .call::<()>("never", ())
            .timeout(Duration::from_secs(3))
            .into_future();
        let (result, ()) =
            futures_lite::future::zip(call, server.advance(Duration::from_secs(3))).await;
        assert!(matches!(result, Err(CallError::Timeout(_))), "{result:?}");
        let handle = client.handle();
        let call = client.call::<()>("never", ()).into_future();
        let close = async { handle.close(CloseCode::NORMAL, "") };
        let (result, ()) = futures_lite::future::zip(call, close).await;
        assert!(matches!(result, Err(CallError::Closed)), "{result:?}");
        assert_eq!(client.next().await, None);
    });
}

#[test]
fn types_are_the_servers() {
    block_on(async {
        let server = TestServer::new(echo());
        let client = connect("ws://a/").typed::<(u8, String), serde_json::Value>();
        let mut client = connect_typed(client, &server).await;
        client.send(serde_json::json!([7, "seven"])).unwrap();
        client.send(serde_json::json!("other")).unwrap();
        assert_eq!(
            client.next().await.unwrap().unwrap(),
            (7, "seven".to_owned())
        );
        client.next().await.unwrap().unwrap_err();
    });
}

async fn connect_typed<In: 'static, Out: 'static>(
    client: crossws_client::TypedConnect<In, Out>,
    server: &TestServer,
) -> crossws_client::TypedClient<In, Out> {
    client.in_memory(server).await.unwrap()
}

#[test]
fn a_handler_runs_for_each_message_and_its_failure_closes() {
    block_on(async {
        let server = TestServer::new(hooks().on_open(|peer| async move {
            peer.send("1")?;
            peer.send("2")?;
            peer.send("stop")
        }));
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let end = connect("ws://a/")
            .in_memory(&server)
            .run(move |client, message| {
                let log = Arc::clone(&log);
                async move {
                    log.lock().unwrap().push(message.to_string());
                    match message.as_bytes()[..] == *b"stop" {
                        true => Err(std::io::Error::other("no more")),
                        false => {
                            client.send(message).unwrap();
                            Ok(())
                        }
                    }
                }
            })
            .await
            .unwrap();
        let Disconnected::Closed(closed) = &*end else {
            panic!("it was open");
        };
        assert_eq!(closed.code, 1011);
        assert_eq!(*seen.lock().unwrap(), ["1", "2", "stop"]);
        ok().unwrap();
    });
}

#[test]
fn a_heartbeat_finds_a_server_that_is_gone() {
    block_on(async {
        let limits = Limits::default().ping_interval(None).idle_timeout(None);
        let server = TestServer::builder(echo())
            .limits(limits.clone().auto_pong(false))
            .build();
        let client = connect("ws://a/").heartbeat(Duration::from_secs(10));
        let client = client.in_memory(&server).await.unwrap();
        server.advance(Duration::from_secs(8)).await;
        assert_eq!(client.status(), Status::Open);
        // A ping at 9 to 11 s, and 20 s for its pong.
        server.advance(Duration::from_secs(24)).await;
        let Disconnected::Closed(closed) = &*client.closed().await else {
            panic!("it was open");
        };
        assert_eq!((closed.code, closed.by), (3008, ClosedBy::Timeout));
        assert_eq!(closed.reason, "silent for too long");
        // With one that answers, it stays.
        let server = TestServer::builder(echo()).limits(limits).build();
        let client = connect("ws://a/").heartbeat(Duration::from_secs(10));
        let client = client.in_memory(&server).await.unwrap();
        server.advance(Duration::from_secs(600)).await;
        assert_eq!(client.status(), Status::Open);
    });
}

#[test]
fn the_servers_pings_are_answered_while_no_code_reads() {
    block_on(async {
        let server = TestServer::new(echo());
        let client = connect("ws://a/")
            .heartbeat(None)
            .in_memory(&server)
            .await
            .unwrap();
        server.advance(Duration::from_secs(600)).await;
        assert_eq!(client.status(), Status::Open);
    });
}

#[test]
fn a_client_that_does_not_read_holds_a_bounded_number_of_messages() {
    block_on(async {
        let server = TestServer::new(hooks().on_open(|peer| async move {
            for n in 0..100 {
                peer.send(n.to_string())?;
            }
            ok()
        }));
        let limits = Limits::default().max_inbound(3_usize);
        let client = connect("ws://a/").limits(limits).in_memory(&server);
        let mut client = client.await.unwrap();
        server.settle().await;
        for n in 0..100 {
            assert_eq!(text(&mut client).await, n.to_string());
        }
    });
}

#[test]
fn heartbeats_spare_a_server_whose_messages_no_code_reads() {
    block_on(async {
        let limits = Limits::default().ping_interval(None).idle_timeout(None);
        let hooks = hooks().on_open(|peer| async move {
            for n in 0..100 {
                peer.send(n.to_string())?;
            }
            ok()
        });
        let server = TestServer::builder(hooks).limits(limits).build();
        let limits = Limits::default().max_inbound(3_usize);
        let connect = connect("ws://a/").limits(limits);
        let client = connect.heartbeat(Duration::from_secs(10));
        let mut client = client.in_memory(&server).await.unwrap();
        // The pongs are after messages that wait.
        server.advance(Duration::from_secs(600)).await;
        assert_eq!(client.status(), Status::Open);
        for n in 0..100 {
            assert_eq!(text(&mut client).await, n.to_string());
        }
    });
}

#[test]
fn a_try_that_takes_too_long_is_given_up() {
    block_on(async {
        let server = TestServer::new(
            hooks().on_upgrade(|_| std::future::pending::<Result<Upgrade, Rejection>>()),
        );
        let client = connect("ws://a/").connect_timeout(Duration::from_secs(3));
        let client = client.in_memory(&server).start().unwrap();
        server.advance(Duration::from_secs(3)).await;
        let end = client.closed().await;
        assert!(
            matches!(*end, Disconnected::Failed(ConnectError::Timeout(_))),
            "{end:?}"
        );
    });
}

#[test]
fn a_server_that_shuts_down_finds_its_clients_back() {
    block_on(async {
        let server = TestServer::new(Router::new().route("/", echo()));
        let client = connect("ws://a/").in_memory(&server).await.unwrap();
        let report = server.shutdown(Shutdown::default()).await;
        assert_eq!(report.closed, 1);
        let Disconnected::Closed(closed) = &*client.closed().await else {
            panic!("it was open");
        };
        assert_eq!(closed.code, 1012);
    });
}
