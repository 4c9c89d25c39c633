//! The limits of connections and of messages in a time, in virtual time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossws_app::{MessageRate, OnExcess, PerAddress, Router, behind_proxies, route};
use crossws_core::adapter::{Publication, Receipt, Snapshot, Transport};
use crossws_core::{
    Capabilities, CloseCode, CloseFrame, Hooks, Message, PeerId, SendError, SendOptions, Sent,
    hooks,
};
use crossws_memory::{Client, TestServer};
use serde_json::json;

use crate::common::{block_on, first_text};

const SECOND: Duration = Duration::from_secs(1);

fn echo() -> impl Hooks {
    hooks().on_message(|peer, message| async move { peer.send(message) })
}

#[test]
fn connections_begin_at_the_rate_of_their_address() {
    block_on(async {
        let limit = PerAddress::new().rate(2, 60 * SECOND);
        let server = TestServer::new(Router::new().layer(limit).route("/", hooks()));
        let from = |last: u8| SocketAddr::from(([192, 0, 2, last], 1));
        let connect = |last| server.connect("/").remote_addr(from(last));
        for _ in 0..2 {
            connect(1).await.unwrap().close(CloseCode::NORMAL, "");
        }
        server.settle().await;
        let refused = connect(1).await.unwrap_err();
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.response().headers()["retry-after"], "30");
        assert!(connect(2).await.is_ok(), "another address");

        server.advance(29 * SECOND).await;
        assert_eq!(connect(1).await.unwrap_err().status(), 429);
        server.advance(SECOND).await;
        assert!(connect(1).await.is_ok());
        assert_eq!(connect(1).await.unwrap_err().status(), 429);
    });
}

#[test]
fn behind_a_proxy_the_clients_network_counts() {
    block_on(async {
        let limit = PerAddress::new().connections(1);
        let app = Router::new()
            .layer(behind_proxies(1))
            .layer(limit)
            .route("/", hooks());
        let server = TestServer::new(app);
        let connect = |from| server.connect("/").header("x-forwarded-for", from);
        let _ann = connect("2001:db8::1").await.unwrap();
        let refused = connect("6.6.6.6, 2001:db8::ffff:2").await.unwrap_err();
        assert_eq!(refused.status(), 429);
        let _bob = connect("2001:db8:0:1::1").await.unwrap();
    });
}

#[test]
fn the_limits_of_a_router_and_of_its_route_both_hold() {
    block_on(async {
        let app = Router::new()
            .layer(PerAddress::new().connections(3))
            .route("/a", route(hooks()).layer(PerAddress::new().connections(1)))
            .route("/b", hooks());
        let server = TestServer::new(app);
        let mut a = server.connect("/a").await.unwrap();
        assert_eq!(server.connect("/a").await.unwrap_err().status(), 429);
        let _b = server.connect("/b").await.unwrap();
        let _c = server.connect("/b").await.unwrap();
        assert_eq!(server.connect("/b").await.unwrap_err().status(), 429);
        a.close(CloseCode::NORMAL, "");
        a.closed().await;
        server.settle().await;
        let _a = server.connect("/a").await.unwrap();
        assert_eq!(server.connect("/b").await.unwrap_err().status(), 429);
    });
}

async fn client(rate: MessageRate) -> (TestServer, Client) {
    let server = TestServer::new(Router::new().layer(rate).route("/", echo()));
    let client = server.connect("/").await.unwrap();
    (server, client)
}

#[test]
fn a_client_that_sends_too_much_is_closed_with_1008() {
    block_on(async {
        let (server, mut ann) = client(MessageRate::new().messages(2, SECOND)).await;
        let mut bob = server.connect("/").await.unwrap();
        for text in ["1", "2"] {
            ann.send(text).unwrap();
            assert_eq!(first_text(&mut ann).await, text);
        }
        server.advance(SECOND / 2).await;
        ann.send("3").unwrap();
        assert_eq!(first_text(&mut ann).await, "3");
        ann.send("4").unwrap();
        let closed = ann.closed().await;
        assert_eq!((closed.code, &*closed.reason), (1008, "too many messages"));
        bob.send("5").unwrap();
        assert_eq!(first_text(&mut bob).await, "5", "another client");
    });
}

#[test]
fn a_message_over_the_rate_is_skipped_if_that_is_the_policy() {
    block_on(async {
        let rate = MessageRate::new().bytes(10, SECOND);
        let (server, mut ann) = client(rate.on_excess(OnExcess::Skip)).await;
        for text in ["123456", "lost, of 5", "1234"] {
            ann.send(text).unwrap();
        }
        assert_eq!(first_text(&mut ann).await, "123456");
        assert_eq!(first_text(&mut ann).await, "1234");
        server.advance(SECOND).await;
        ann.send("longer than the limit").unwrap();
        ann.send("1").unwrap();
        assert_eq!(first_text(&mut ann).await, "longer than the limit");
        server.advance(SECOND).await;
        ann.send("2").unwrap();
        assert_eq!(first_text(&mut ann).await, "2");
    });
}

#[test]
fn a_client_over_the_rate_is_slowed_down_if_that_is_the_policy() {
    block_on(async {
        let rate = MessageRate::new().messages(1, SECOND);
        let (server, mut ann) = client(rate.on_excess(OnExcess::Wait)).await;
        for text in ["1", "2", "3"] {
            ann.send(text).unwrap();
        }
        assert_eq!(first_text(&mut ann).await, "1");
        for text in ["2", "3"] {
            let almost = SECOND - Duration::from_millis(1);
            assert!(ann.next_within(almost).await.is_err());
            server.advance(Duration::from_millis(1)).await;
            assert_eq!(first_text(&mut ann).await, text);
        }
    });
}

#[test]
fn messages_that_waited_for_a_slow_hook_count_from_when_they_can_have_been_sent() {
    block_on(async {
        let hooks = hooks().on_message(|peer, message| async move {
            if message == Message::from("slow") {
                peer.sleep(10 * SECOND).await;
            }
            peer.send(message)
        });
        let rate = MessageRate::new().messages(2, SECOND);
        let server = TestServer::new(Router::new().layer(rate).route("/", hooks));
        let mut ann = server.connect("/").await.unwrap();
        for _ in 0..2 {
            ann.send("slow").unwrap();
            for _ in 0..10 {
                server.advance(SECOND).await;
                ann.send("x").unwrap();
            }
            assert_eq!(first_text(&mut ann).await, "slow");
            for _ in 0..10 {
                assert_eq!(first_text(&mut ann).await, "x");
            }
            // What was not used is not saved up.
            server.advance(10 * SECOND).await;
        }
        // Those of the slow hook's time, and of the burst, are all that there may be.
        ann.send("slow").unwrap();
        for _ in 0..30 {
            ann.send("x").unwrap();
        }
        server.advance(10 * SECOND).await;
        let mut heard = 0;
        while let Some(message) = ann.next().await {
            heard += usize::from(message == Message::from("x"));
        }
        assert_eq!(heard, 21);
        assert_eq!(ann.closed().await.code, 1008);
    });
}

#[test]
fn two_rates_count_apart() {
    block_on(async {
        let slow = MessageRate::new()
            .messages(1, SECOND)
            .on_excess(OnExcess::Skip);
        let app = Router::new()
            .layer(MessageRate::new().messages(2, SECOND))
            .route("/", route(echo()).layer(slow));
        let server = TestServer::new(app);
        let mut ann = server.connect("/").await.unwrap();
        for text in ["1", "skipped", "over both"] {
            ann.send(text).unwrap();
        }
        assert_eq!(first_text(&mut ann).await, "1");
        assert_eq!(ann.closed().await.code, 1008);
    });
}

#[test]
fn a_client_that_waits_and_goes_leaves_nothing_behind() {
    block_on(async {
        let rate = MessageRate::new().messages(1, 3_600 * SECOND);
        let (server, mut ann) = client(rate.on_excess(OnExcess::Wait)).await;
        for _ in 0..3 {
            ann.send("x").unwrap();
        }
        server.settle().await;
        drop(ann);
        server.settle().await;
        assert!(server.hub().peers().is_empty());
        assert!(server.now() < SECOND);
    });
}

/// A wait of no time would end at once, again and again.
#[test]
fn a_client_that_may_send_nothing_waits_until_its_end() {
    block_on(async {
        for per in [Duration::ZERO, SECOND] {
            for rate in [
                MessageRate::new().messages(0, per),
                MessageRate::new().bytes(0, per),
            ] {
                let (server, mut ann) = client(rate.on_excess(OnExcess::Wait)).await;
                ann.send("x").unwrap();
                server.advance(SECOND).await;
                assert!(ann.try_next().is_none(), "{per:?}");
                drop(ann);
                server.settle().await;
                assert!(server.hub().peers().is_empty());
            }
        }
    });
}

#[test]
fn a_rate_of_no_connections_refuses_without_a_time_to_retry() {
    block_on(async {
        let limit = PerAddress::new().rate(0, Duration::ZERO);
        let server = TestServer::new(Router::new().layer(limit).route("/", hooks()));
        let refused = server.connect("/").await.unwrap_err();
        assert_eq!(refused.status(), 429);
        assert!(!refused.response().headers().contains_key("retry-after"));
    });
}

struct Nowhere;

impl Transport for Nowhere {
    fn capabilities(&self) -> Capabilities {
        Capabilities::PUBSUB
    }
    fn send(&self, _: Message, _: &SendOptions) -> Result<Sent, SendError> {
        Ok(Sent::Written)
    }
    fn publish(&self, _: &Publication) -> Receipt {
        Receipt::queued(false)
    }
    fn wake(&self) {}
    fn close(&self, _: CloseFrame) {}
    fn terminate(&self) {}
}

#[test]
fn connections_that_wake_are_not_counted_again() {
    block_on(async {
        let limit = PerAddress::new().connections(1).rate(1, 60 * SECOND);
        let app = || {
            let limit = limit.clone();
            Router::new().layer(limit).route("/", hooks())
        };
        let server = TestServer::new(app());
        let _fresh = server.connect("/").await.unwrap();
        assert_eq!(server.connect("/").await.unwrap_err().status(), 429);
        // Admitted before their object slept: several clients of one office.
        let app = Arc::new(app());
        for id in 1..=3 {
            let id = PeerId::from_u128(id);
            let snapshot = json!({"i": id, "n": "/", "u": "/", "a": "127.0.0.1:0"});
            let snapshot: Snapshot = serde_json::from_value(snapshot).unwrap();
            let peer = server.hub().restore(&snapshot, Nowhere).unwrap();
            assert_eq!(peer.claim(&app).await.err(), None);
        }
        // A Worker has sent it to an object that is awake: it is new there.
        let snapshot = json!({"i": PeerId::from_u128(4), "n": "/", "u": "/", "a": "127.0.0.1:0"});
        let snapshot: Snapshot = serde_json::from_value(snapshot).unwrap();
        let peer = server.hub().admit(&snapshot, Nowhere).unwrap();
        assert_eq!(peer.claim(&app).await.err().unwrap().status(), 1008);
    });
}
