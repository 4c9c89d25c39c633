//! How connections end, and what each side observes.

// Tests state what must hold; their helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Gate, Log, block_on, close_line};
use crossws_core::{
    CloseCode, Closed, Error, ErrorKind, HookKind, Limits, Message, OnError, Peer, PeerState,
    SendError, hooks,
};
use crossws_memory::{Frame, TestServer, Violation};

const KICKED: CloseCode = CloseCode::new(4001).unwrap();

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn the_client_closes() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut client = server.connect("/").await.unwrap();
        client.send("last").unwrap();
        client.close(KICKED, "bye");
        assert!(matches!(client.send("late"), Err(SendError::Closed(_))));
        let end = client.closed().await;
        assert_eq!((end.code, &*end.reason, end.clean), (4001, "bye", true));
        let expected = ["open", "message last", "close 4001 bye, by Client, clean"];
        assert_eq!(log.take(), expected);
        assert!(server.hub().peers().is_empty());
    });
}

#[test]
fn the_client_closes_without_a_code() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut client = server.connect("/").await.unwrap();
        client.close_without_code();
        assert_eq!(client.next_frame().await, Some(Frame::Close(None)));
        assert_eq!(client.next_frame().await, None);
        assert_eq!(client.closed().await.code, 1005);
        assert_eq!(log.take(), ["open", "close 1005, by Client, clean"]);
    });
}

#[test]
fn the_client_vanishes() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut client = server.connect("/").await.unwrap();
        client.send("last").unwrap();
        client.vanish();
        assert!(client.send("late").is_err());
        assert_eq!(client.next().await, None);
        assert_eq!(client.closed().await.code, 1006);
        let expected = ["open", "message last", "close 1006, by Network, not clean"];
        assert_eq!(log.take(), expected);
    });
}

#[test]
fn a_dropped_client_is_gone() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        drop(server.connect("/").await.unwrap());
        server.settle().await;
        assert_eq!(log.take(), ["open", "close 1006, by Network, not clean"]);
    });
}

#[test]
fn the_server_closes_after_what_was_queued() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks().on_open(|peer| async move {
            peer.send("one").unwrap();
            peer.send("two").unwrap();
            peer.close(KICKED, "out");
            assert!(peer.send("three").is_err());
        }));
        let mut client = server.connect("/").await.unwrap();
        let mut seen = Vec::new();
        while let Some(frame) = client.next_frame().await {
            seen.push(match frame {
                Frame::Message(message) => message.to_string(),
                Frame::Close(Some(frame)) => format!("{} {}", frame.code(), frame.reason()),
                other => format!("{other:?}"),
            });
        }
        assert_eq!(seen, ["one", "two", "4001 out"]);
        assert!(client.closed().await.clean);
        assert_eq!(log.take(), ["close 4001 out, by Server, clean"]);
    });
}

#[test]
fn a_close_without_a_reply_ends_at_its_timeout() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut client = server.connect("/").await.unwrap();
        client.auto_close(false);
        server.hub().in_all_namespaces().close_all(KICKED);
        assert!(matches!(client.next_frame().await, Some(Frame::Close(_))));
        // No hook gets this message.
        client.send("unheard").unwrap();
        server.advance(secs(5) - Duration::from_nanos(1)).await;
        assert_eq!(log.take(), ["open"]);
        server.advance(Duration::from_nanos(1)).await;
        assert_eq!(log.take(), ["close 4001, by Server, not clean"]);
        assert_eq!(client.next_frame().await, None);
        assert!(!client.closed().await.clean);
    });
}

#[test]
fn a_pong_sent_by_hand_counts() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut client = server.connect("/").await.unwrap();
        client.auto_close(false);
        server.hub().in_all_namespaces().close_all(KICKED);
        server.advance(secs(2)).await;
        client.close(CloseCode::NORMAL, "");
        assert!(client.closed().await.clean);
        assert_eq!(log.take(), ["open", "close 4001, by Server, clean"]);
    });
}

#[test]
fn terminate_sends_no_close_frame() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks().on_message(|peer, _| async move {
            peer.send("unwritten").unwrap();
            peer.terminate();
        }));
        let mut client = server.connect("/").await.unwrap();
        client.send("go").unwrap();
        client.send("unheard").unwrap();
        assert_eq!(client.next_frame().await, None);
        assert_eq!(client.closed().await.code, 1006);
        assert_eq!(log.take(), ["open", "close 1006, by Server, not clean"]);
    });
}

#[test]
fn terminate_cuts_a_close_short() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut client = server.connect("/").await.unwrap();
        client.pause();
        let peer = server.hub().peer(client.id()).unwrap();
        peer.close(KICKED, "");
        server.settle().await;
        peer.terminate();
        assert_eq!(client.next_frame().await, None);
        assert_eq!(log.take(), ["open", "close 1006, by Server, not clean"]);
    });
}

/// Returns hooks whose `message` waits for the gate. They record when `closed()` resolves.
fn gated(log: &Log, gate: &Gate) -> TestServer {
    let (log_message, gate) = (log.clone(), gate.clone());
    TestServer::new(log.hooks().on_message(move |peer: Peer, message: Message| {
        let (log, gate) = (log_message.clone(), gate.clone());
        async move {
            log.add(format!("begin {message}"));
            futures_lite::future::or(gate.passed(), async {
                peer.closed().await;
                log.add(format!("closed, listed: {}", peer.peers().len()));
                gate.passed().await;
            })
            .await;
            log.add(format!("end {message}"));
        }
    }))
}

#[test]
fn a_running_hook_observes_the_end_and_the_close_hook_waits() {
    block_on(async {
        for close in [true, false] {
            let (log, gate) = (Log::default(), Gate::default());
            let server = gated(&log, &gate);
            let mut client = server.connect("/").await.unwrap();
            client.send("a").unwrap();
            client.send("b").unwrap();
            if close {
                client.close(CloseCode::NORMAL, "");
                // The client's reply does not wait for the hook.
                assert!(client.closed().await.clean);
            } else {
                client.vanish();
                server.settle().await;
            }
            assert_eq!(log.take(), ["open", "begin a", "closed, listed: 0"]);
            assert!(server.hub().peers().is_empty());
            assert_eq!(server.hub().stats().sessions, 1);
            gate.open();
            server.settle().await;
            let close = match close {
                true => "close 1000, by Client, clean",
                false => "close 1006, by Network, not clean",
            };
            assert_eq!(log.take(), ["end a", "begin b", "end b", close]);
            assert_eq!(server.hub().stats().sessions, 0);
        }
    });
}

#[test]
fn frames_after_our_close_reach_no_hook() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut client = server.connect("/").await.unwrap();
        client.auto_close(false);
        client
            .send("unheard: our close comes before it is read")
            .unwrap();
        server.hub().in_all_namespaces().close_all(KICKED);
        server.settle().await;
        client.send("unheard").unwrap();
        client.ping("unheard").unwrap();
        server.settle().await;
        client.close(CloseCode::NORMAL, "");
        client.closed().await;
        assert_eq!(log.take(), ["open", "close 4001, by Server, clean"]);
    });
}

#[test]
fn a_message_too_big_is_an_error_and_1009() {
    block_on(async {
        let log = Log::default();
        let limits = Limits::default().max_message_size(4);
        let told = log.clone();
        let hooks = log.hooks().on_error(move |_, error: Error| {
            assert_eq!(error.kind(), ErrorKind::Protocol);
            let violation: &Violation = error.downcast_ref().unwrap();
            assert_eq!(violation.code(), CloseCode::TOO_BIG);
            told.add("error");
            async { OnError::Keep }
        });
        let server = TestServer::builder(hooks).limits(limits).build();
        let mut client = server.connect("/").await.unwrap();
        client.send("1234").unwrap();
        client.send("12345").unwrap();
        client.send("unheard").unwrap();
        let end = client.closed().await;
        assert_eq!((end.code, &*end.reason), (1009, "message too big"));
        let expected = [
            "open",
            "message 1234",
            "error",
            "close 1009 message too big, by Server, not clean",
        ];
        assert_eq!(log.take(), expected);
    });
}

#[test]
fn too_many_control_frames_are_1008() {
    block_on(async {
        let log = Log::default();
        let limits = Limits::default().max_control_rate(3).max_inbound(100);
        let server = TestServer::builder(log.hooks()).limits(limits).build();
        let mut client = server.connect("/").await.unwrap();
        for _ in 0..3 {
            client.ping("").unwrap();
        }
        server.advance(secs(1)).await;
        for _ in 0..3 {
            client.pong("").unwrap();
        }
        server.settle().await;
        assert_eq!(log.take().len(), 7, "three in a second are fine");
        client.ping("").unwrap();
        let end = client.closed().await;
        assert_eq!((end.code, &*end.reason), (1008, "too many control frames"));
        assert!(log.take()[0].starts_with("error"));
    });
}

#[test]
fn a_failed_hook_closes_with_1011_and_a_task_too() {
    block_on(async {
        for spawned in [false, true] {
            let log = Log::default();
            let server = TestServer::new(log.hooks().on_message(move |peer, _| async move {
                if spawned {
                    peer.spawn(async { Err::<(), _>("no") });
                    return Ok(());
                }
                Err("no")
            }));
            let mut client = server.connect("/").await.unwrap();
            client.send("go").unwrap();
            assert_eq!(client.closed().await.code, 1011);
            let hook = if spawned { "task" } else { "message" };
            let expected = [
                "open".to_owned(),
                format!("error the {hook} hook failed: no"),
                "close 1011 internal error, by Server, clean".to_owned(),
            ];
            assert_eq!(log.take(), expected);
        }
    });
}

#[test]
fn an_error_may_keep_the_connection_and_a_panic_may_not() {
    block_on(async {
        let server = TestServer::new(
            hooks()
                .on_message(|peer, message: Message| async move {
                    match message.text().unwrap() {
                        "fail" => Err("failed"),
                        "panic" => panic!("on purpose"),
                        _ => peer.send(message).map_err(|_| "unsent"),
                    }
                })
                .on_error(|_, error: Error| async move {
                    assert!(matches!(
                        error.kind(),
                        ErrorKind::Hook(HookKind::Message) | ErrorKind::Panic(HookKind::Message)
                    ));
                    OnError::Keep
                }),
        );
        let mut other = server.connect("/").await.unwrap();
        let mut client = server.connect("/").await.unwrap();
        client.send("fail").unwrap();
        client.send("still here").unwrap();
        assert_eq!(client.next().await.unwrap().text(), Ok("still here"));
        client.send("panic").unwrap();
        assert_eq!(client.closed().await.code, 1011);
        other.send("me too").unwrap();
        assert_eq!(other.next().await.unwrap().text(), Ok("me too"));
    });
}

#[test]
fn a_close_hook_publishes_to_the_others() {
    block_on(async {
        let server = TestServer::new(
            hooks()
                .on_open(|peer| async move { peer.subscribe("chat").map(drop) })
                .on_close(|peer: Peer, closed: Closed| async move {
                    assert_eq!(peer.state(), PeerState::Closed);
                    peer.publish("chat", close_line(&closed)).map(drop)
                }),
        );
        let mut ada = server.connect("/").await.unwrap();
        let mut bob = server.connect("/").await.unwrap();
        ada.close(CloseCode::AWAY, "");
        let news = bob.next().await.unwrap();
        assert_eq!(news.text(), Ok("close 1001, by Client, clean"));
    });
}

#[test]
fn a_paused_client_that_closes_gets_its_messages_when_it_reads() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut client = server.connect("/").await.unwrap();
        client.pause();
        client.send("echo").unwrap();
        server.settle().await;
        client.close(CloseCode::NORMAL, "");
        server.settle().await;
        let expected = ["open", "message echo", "close 1000, by Client, clean"];
        assert_eq!(log.take(), expected);
        client.resume();
        assert_eq!(client.next().await.unwrap().text(), Ok("echo"));
        assert_eq!(client.next().await, None);
        assert!(client.closed().await.clean);
    });
}
