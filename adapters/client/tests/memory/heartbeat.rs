//! Pings and pongs of both sides.

use std::time::Duration;

use crossws_client::{Disconnected, Status, connect};
use crossws_core::{ClosedBy, Limits, hooks, ok};
use crossws_memory::TestServer;
use futures_lite::future::block_on;

use crate::{echo, text};

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
