//! Shutdowns, and their reports.

// Tests state what must hold; their helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::{Gate, Log, block_on};
use crossws_core::{CloseCode, CloseFrame, Shutdown, hooks};
use crossws_memory::TestServer;
use futures_lite::future::{poll_once, zip};

#[test]
fn every_peer_is_closed_and_waited_for() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut one = server.connect("/").await.unwrap();
        let mut two = server.connect("/").await.unwrap();
        one.send("last").unwrap();
        server.settle().await;
        log.take();
        let report = server.shutdown(Shutdown::default()).await;
        assert_eq!((report.closed, report.flushed, report.forced), (2, 2, 0));
        let close = "close 1012 restarting, by Shutdown, clean";
        assert_eq!(log.take(), [close, close]);
        assert_eq!(one.next().await.unwrap().text(), Ok("last"));
        assert_eq!(one.next().await, None);
        assert_eq!(two.closed().await.code, 1012);
        let refusal = server.connect("/").await.unwrap_err();
        assert_eq!(refusal.status(), 503);
    });
}

#[test]
fn the_frame_is_the_callers_choice() {
    block_on(async {
        let server = TestServer::new(hooks());
        let mut client = server.connect("/").await.unwrap();
        let frame = CloseFrame::new(CloseCode::AWAY, "gone fishing");
        server.shutdown(Shutdown::default().frame(frame)).await;
        let end = client.closed().await;
        assert_eq!((end.code, &*end.reason), (1001, "gone fishing"));
    });
}

#[test]
fn a_client_that_does_not_reply_is_dropped() {
    block_on(async {
        let log = Log::default();
        let server = TestServer::new(log.hooks());
        let mut client = server.connect("/").await.unwrap();
        client.pause();
        let report = server.shutdown(Shutdown::default()).await;
        assert_eq!((report.dropped, report.forced), (1, 0));
        assert_eq!(server.now(), Duration::from_secs(5));
        let close = "close 1012 restarting, by Shutdown, not clean";
        assert_eq!(log.take(), ["open", close]);
    });
}

#[test]
fn a_close_hook_in_virtual_time_is_waited_for() {
    block_on(async {
        let log = Log::default();
        let held = Arc::new(OnceLock::<TestServer>::new());
        let hooks = {
            let (log, held) = (log.clone(), Arc::clone(&held));
            hooks().on_close(move |_, _| {
                let (log, server) = (log.clone(), held.get().unwrap().clone());
                async move {
                    server.sleep(Duration::from_secs(20)).await;
                    log.add("saved");
                }
            })
        };
        let server = TestServer::new(hooks);
        held.set(server.clone()).unwrap();
        let _client = server.connect("/").await.unwrap();
        let report = server.shutdown(Shutdown::default()).await;
        assert_eq!(report.forced, 0);
        assert_eq!(log.take(), ["saved"]);
    });
}

#[test]
fn a_hook_that_outlives_the_grace_is_dropped() {
    block_on(async {
        let (log, gate) = (Log::default(), Gate::default());
        let server = {
            let (log, gate) = (log.clone(), gate.clone());
            TestServer::new(hooks().on_close(move |_, _| {
                let (log, gate) = (log.clone(), gate.clone());
                async move {
                    let _guard = OnDrop(log.clone());
                    gate.passed().await;
                    log.add("not reached");
                }
            }))
        };
        let _one = server.connect("/").await.unwrap();
        let mut two = server.connect("/").await.unwrap();
        let shutdown = Shutdown::default().grace(Duration::from_secs(3));
        let mut shutdown = Box::pin(server.shutdown(shutdown));
        assert!(poll_once(&mut shutdown).await.is_none(), "a real wait");
        assert!(log.take().is_empty());
        let advance = server.advance(Duration::from_secs(3));
        let (report, ()) = zip(shutdown, advance).await;
        assert_eq!((report.closed, report.flushed, report.forced), (2, 0, 2));
        assert_eq!(log.take(), ["dropped", "dropped"]);
        assert_eq!(two.next().await, None);
        assert_eq!(server.hub().stats().sessions, 0);
    });
}

#[test]
fn a_real_wait_in_a_close_hook_is_waited_for() {
    block_on(async {
        let gate = Gate::default();
        let server = {
            let gate = gate.clone();
            TestServer::new(hooks().on_close(move |_, _| {
                let gate = gate.clone();
                async move { gate.passed().await }
            }))
        };
        let _client = server.connect("/").await.unwrap();
        let opener = std::thread::spawn(move || gate.open());
        let report = server.shutdown(Shutdown::default()).await;
        assert_eq!((report.flushed, report.forced), (1, 0));
        opener.join().unwrap();
    });
}

#[test]
fn an_upgrade_under_way_has_its_time_and_is_refused() {
    block_on(async {
        let server = TestServer::new(hooks().on_upgrade(|_| std::future::pending()));
        let mut connecting = server.connect("/").into_future();
        assert!(poll_once(&mut connecting).await.is_none());
        let report = server.shutdown(Shutdown::default()).await;
        assert_eq!((report.closed, report.dropped), (1, 1));
        assert_eq!(
            server.now(),
            crossws_core::Limits::default().upgrade_timeout
        );
        assert_eq!(connecting.await.unwrap_err().status(), 503);
    });
}

struct OnDrop(Log);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add("dropped");
    }
}

#[test]
fn closes_are_spread_evenly_and_name_the_time_to_reconnect() {
    block_on(async {
        const CLIENTS: usize = 300;
        let server = TestServer::new(hooks());
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(server.connect("/").await.unwrap());
        }
        let spread = Duration::from_secs(30);
        let stopping = server.shutdown(Shutdown::default().spread(spread));
        let times = async {
            let mut at = Vec::new();
            for client in &mut clients {
                let end = client.closed().await;
                assert_eq!(end.code, 1012);
                let frame = CloseFrame::new(CloseCode::RESTART, end.reason);
                assert!(frame.retry().unwrap() <= Duration::from_secs(1));
                at.push(frame.retry().unwrap());
            }
            at
        };
        let (report, retries) = zip(stopping, times).await;
        assert_eq!((report.closed, report.flushed), (CLIENTS, CLIENTS));
        assert!(server.now() >= Duration::from_secs(29) && server.now() <= spread);
        let early = retries
            .iter()
            .filter(|retry| retry.as_millis() < 500)
            .count();
        assert!(
            (100..=200).contains(&early),
            "{early} come back within half a second"
        );
    });
}

#[test]
fn time_moves_to_the_end_of_the_delay() {
    block_on(async {
        let server = TestServer::new(hooks());
        let mut client = server.connect("/").await.unwrap();
        assert!(server.hub().is_ready());
        let delay = Shutdown::default().delay(Duration::from_secs(5));
        assert_eq!(server.shutdown(delay).await.flushed, 1);
        assert!(!server.hub().is_ready());
        assert_eq!(client.closed().await.code, 1012);
        assert_eq!(server.now(), Duration::from_secs(5));
    });
}
