//! Tries: how many, when, and what is sent meanwhile and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crossws_app::rooms::{Allow, rooms};
use crossws_client::{
    ConnectError, Disconnected, Reconnect, Status, WhenClosed, WhileConnecting, connect,
};
use crossws_core::{CloseCode, CloseFrame, Limits, Rejection, SendError, Sent, Upgrade, hooks};
use crossws_memory::TestServer;
use futures_lite::future::block_on;

use crate::{echo, refuses_first, text};

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
