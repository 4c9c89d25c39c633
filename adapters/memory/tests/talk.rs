//! Messages in both directions, through hooks.

// Tests state what must hold; their helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use common::{Gate, Log, block_on};
use crossws_core::{BoxError, HandlerEnd, Json, Limits, Message, PeerState, handler, hooks};
use crossws_memory::{Frame, TestServer};
use futures_lite::StreamExt;
use serde_json::json;

#[test]
fn text_bytes_and_json_come_back() {
    block_on(async {
        let server = TestServer::new(
            hooks()
                .on_open(|peer| async move { peer.send("welcome") })
                .on_message(|peer, message| async move { peer.send(message) }),
        );
        let mut client = server.connect("/").await.unwrap();
        client.send("hi").unwrap();
        client.send(Bytes::from_static(&[0, 255])).unwrap();
        client.send(Json(json!({"a": 1}))).unwrap();
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(client.next().await.unwrap());
        }
        let expected: [Message; 4] = [
            "welcome".into(),
            "hi".into(),
            vec![0, 255].into(),
            r#"{"a":1}"#.into(),
        ];
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_hooks_message_arrives_while_the_hook_waits() {
    block_on(async {
        let server = TestServer::new(hooks().on_message(|peer, _| async move {
            peer.send("before").unwrap();
            peer.closed().await;
        }));
        let mut client = server.connect("/").await.unwrap();
        client.send("go").unwrap();
        assert_eq!(client.next().await.unwrap().text(), Ok("before"));
    });
}

#[test]
fn hooks_of_one_peer_do_not_overlap_and_keep_the_order() {
    block_on(async {
        let log = Log::default();
        let in_hooks = Arc::new(AtomicUsize::new(0));
        let hooks = {
            let log = log.clone();
            hooks().on_message(move |_, message: Message| {
                let (log, in_hooks) = (log.clone(), Arc::clone(&in_hooks));
                async move {
                    assert_eq!(in_hooks.fetch_add(1, Ordering::SeqCst), 0);
                    // Later messages are faster.
                    for _ in 0..(5 - message.len().min(5)) {
                        futures_lite::future::yield_now().await;
                    }
                    in_hooks.fetch_sub(1, Ordering::SeqCst);
                    log.add(message.to_string());
                }
            })
        };
        let server = TestServer::new(hooks);
        let mut client = server.connect("/").await.unwrap();
        for text in ["a", "bb", "ccc", "dddd", "eeeee"] {
            client.send(text).unwrap();
        }
        server.settle().await;
        assert_eq!(log.take(), ["a", "bb", "ccc", "dddd", "eeeee"]);
    });
}

#[test]
fn a_publish_reaches_the_other_subscribers_once() {
    block_on(async {
        let server = TestServer::new(
            hooks()
                .on_open(|peer| async move { peer.subscribe("chat").map(drop) })
                .on_message(|peer, message| async move { peer.publish("chat", message).map(drop) }),
        );
        let mut ada = server.connect("/room").await.unwrap();
        let mut bob = server.connect("/room").await.unwrap();
        let mut eve = server.connect("/elsewhere").await.unwrap();
        ada.send("hello").unwrap();
        assert_eq!(bob.next().await.unwrap().text(), Ok("hello"));
        let published = server.hub().in_namespace("/room").publish("chat", "news");
        assert_eq!(published.unwrap().queued, 2);
        assert_eq!(bob.next().await.unwrap().text(), Ok("news"));
        assert_eq!(ada.next().await.unwrap().text(), Ok("news"));
        server.settle().await;
        assert_eq!(ada.try_next(), None);
        assert_eq!(bob.try_next(), None);
        assert_eq!(eve.try_next(), None);
    });
}

#[test]
fn pings_are_answered_on_both_sides_and_reach_the_hooks() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut client = server.connect("/").await.unwrap();
        client.ping("are you there").unwrap();
        let pong = Frame::Pong(Bytes::from("are you there"));
        assert_eq!(client.next_frame().await, Some(pong));
        let peer = server.hub().peer(client.id()).unwrap();
        peer.ping("and you").unwrap();
        let ping = Frame::Ping(Bytes::from("and you"));
        assert_eq!(client.next_frame().await, Some(ping));
        server.settle().await;
        client.pong("unasked").unwrap();
        server.settle().await;
        let expected = [
            "open",
            r#"ping b"are you there""#,
            r#"pong b"and you""#,
            r#"pong b"unasked""#,
        ];
        assert_eq!(log.take(), expected);
        assert!(client.ping(vec![0; 126]).is_err());
    });
}

#[test]
fn one_ping_of_ours_waits_at_a_time() {
    block_on(async {
        let server = TestServer::new(hooks());
        let mut client = server.connect("/").await.unwrap();
        client.pause();
        let peer = server.hub().peer(client.id()).unwrap();
        peer.ping("1").unwrap();
        assert!(peer.ping("2").is_err());
        client.resume();
        server.settle().await;
        peer.ping("3").unwrap();
        let pings = [client.next_frame().await, client.next_frame().await];
        let ping = |data: &'static str| Some(Frame::Ping(Bytes::from(data)));
        assert_eq!(pings, [ping("1"), ping("3")]);
    });
}

#[test]
fn messages_before_control_frames_are_not_lost_to_next() {
    block_on(async {
        let server = TestServer::new(hooks().on_open(|peer| async move {
            peer.ping("x").unwrap();
            peer.send("after the ping")
        }));
        let mut client = server.connect("/").await.unwrap();
        assert_eq!(client.next().await.unwrap().text(), Ok("after the ping"));
    });
}

#[test]
fn a_handler_owns_its_connection() {
    block_on(async {
        let server = TestServer::new(handler(|peer, mut incoming| async move {
            while let Some(message) = incoming.next().await {
                if message.text()? == "bye" {
                    return Ok::<_, BoxError>(HandlerEnd::Close);
                }
                peer.send(message)?;
            }
            Ok(HandlerEnd::KeepOpen)
        }));
        let mut client = server.connect("/").await.unwrap();
        client.send("one").unwrap();
        assert_eq!(client.next().await.unwrap().text(), Ok("one"));
        client.send("bye").unwrap();
        assert_eq!(client.next().await, None);
        assert_eq!(client.closed().await.code, 1000);
    });
}

#[test]
fn a_client_is_a_stream() {
    block_on(async {
        let server = TestServer::new(hooks().on_open(|peer| async move {
            for n in 0..3 {
                peer.send(n.to_string()).unwrap();
            }
            peer.close(crossws_core::CloseCode::NORMAL, "");
        }));
        let client = server.connect("/").await.unwrap();
        let all: Vec<_> = client.map(|message| message.to_string()).collect().await;
        assert_eq!(all, ["0", "1", "2"]);
    });
}

#[test]
fn frames_wait_in_the_network_while_a_hook_is_busy() {
    block_on(async {
        let log = Log::default();
        let server = {
            let log = log.clone();
            let gate = Gate::default();
            let opener = gate.clone();
            let server = TestServer::builder(hooks().on_message(move |_, message: Message| {
                let (log, gate) = (log.clone(), gate.clone());
                async move {
                    gate.passed().await;
                    log.add(message.to_string());
                }
            }))
            .limits(Limits::default().max_inbound(2))
            .build();
            let mut client = server.connect("/").await.unwrap();
            for n in 0..6 {
                client.send(n.to_string()).unwrap();
            }
            // The hook has one message, two wait, and the server has not read the close frame yet.
            client.close_without_code();
            server.settle().await;
            let peer = server.hub().peer(client.id()).unwrap();
            assert_eq!(peer.state(), PeerState::Open);
            opener.open();
            client.closed().await;
            server
        };
        assert_eq!(log.take(), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(server.hub().stats().sessions, 0);
    });
}

#[test]
fn a_vanished_client_is_detected_while_its_frames_wait() {
    block_on(async {
        let gate = Gate::default();
        let server = {
            let gate = gate.clone();
            TestServer::builder(hooks().on_message(move |_, _| {
                let gate = gate.clone();
                async move { gate.passed().await }
            }))
            .limits(Limits::default().max_inbound(1))
            .build()
        };
        let mut client = server.connect("/").await.unwrap();
        for _ in 0..5 {
            client.send("x").unwrap();
        }
        client.vanish();
        server.settle().await;
        assert!(server.hub().peers().is_empty());
        assert_eq!(server.hub().stats().sessions, 1);
        gate.open();
        server.settle().await;
        assert_eq!(server.hub().stats().sessions, 0);
    });
}

#[test]
fn each_ping_of_a_burst_is_answered_and_the_servers_own_pong_is_kept() {
    block_on(async {
        let server = TestServer::new(hooks());
        let mut client = server.connect("/").await.unwrap();
        let peer = server.hub().peer(client.id()).unwrap();
        peer.pong("own").unwrap();
        client.ping("first").unwrap();
        client.ping("second").unwrap();
        for data in ["own", "first", "second"] {
            assert_eq!(client.next_frame().await, Some(Frame::Pong(data.into())));
        }
    });
}

#[test]
fn bytes_that_are_no_frames_close_with_1002() {
    block_on(async {
        let server = TestServer::new(hooks());
        // Reserved bits, and a frame that is not masked.
        for bytes in [&b"\xf1\x80\0\0\0\0"[..], b"\x81\x05hello"] {
            let mut client = server.connect("/").await.unwrap();
            client.send("before").unwrap();
            client.send_raw(bytes).unwrap();
            assert_eq!(client.closed().await.code, 1002);
            assert!(client.send_raw("after").is_err());
        }
    });
}
