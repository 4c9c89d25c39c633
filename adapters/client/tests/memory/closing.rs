//! The end of a connection: who closes it, and what both sides learn.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crossws_app::Router;
use crossws_client::{ConnectError, Disconnected, Reconnect, Status, connect};
use crossws_core::{CloseCode, ClosedBy, SendError, Shutdown};
use crossws_memory::TestServer;
use futures_lite::future::block_on;

use crate::{echo, refuses_first, text};

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
