//! Heartbeats and deadlines, in virtual time.

// Tests state what must hold; their helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use common::{Log, block_on};
use crossws_core::{
    CloseCode, Limits, Peer, PeerId, Route, RouteSettings, Upgrade, hooks, resolve_with,
};
use crossws_memory::{Frame, TestServer};
use futures_lite::future::poll_once;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Creates a server whose peers get an id in the middle of the spread, so that their times are
/// exactly the limits.
fn server(log: &Log, limits: Limits) -> TestServer {
    let hooks = log
        .hooks()
        .on_upgrade(|_| async { Ok(Upgrade::new().id(PeerId::from_u128(0x7fff))) });
    TestServer::builder(hooks).limits(limits).build()
}

#[test]
fn an_hour_of_heartbeats_takes_no_time() {
    block_on(async {
        let log = Log::default();
        let server = server(&log, Limits::default());
        let mut client = server.connect("/").await.unwrap();
        let begin = Instant::now();
        server.advance(secs(3600)).await;
        assert_eq!(server.now(), secs(3600));
        assert!(begin.elapsed() < secs(5));
        let pongs = log.take().len() - 1;
        assert!((143..=144).contains(&pongs), "one in 25 s, not {pongs}");
        assert!(matches!(client.next_frame().await, Some(Frame::Ping(_))));
        client.send("still here").unwrap();
        assert_eq!(client.next().await.unwrap().text(), Ok("still here"));
    });
}

#[test]
fn pings_without_a_pong_timeout_end_no_connection() {
    block_on(async {
        let log = Log::default();
        let limits = Limits::default().pong_timeout(Duration::MAX);
        let server = server(&log, limits);
        let mut client = server.connect("/").await.unwrap();
        client.auto_pong(false);
        server.advance(secs(3600)).await;
        assert!(matches!(client.next_frame().await, Some(Frame::Ping(_))));
        client.send("still here").unwrap();
        assert_eq!(client.next().await.unwrap().text(), Ok("still here"));
    });
}

#[test]
fn a_client_that_only_answers_pings_is_inactive() {
    block_on(async {
        let log = Log::default();
        let limits = Limits::default().inactivity_timeout(secs(60));
        let server = server(&log, limits);
        let mut client = server.connect("/").await.unwrap();
        server.advance(secs(59)).await;
        client.send("here").unwrap();
        server.advance(secs(59)).await;
        client.ping("here too").unwrap();
        server.advance(secs(2)).await;
        let end = client.closed().await;
        assert_eq!((end.code, &*end.reason), (3008, "inactive"));
        let last = log.take().pop().unwrap();
        assert_eq!(last, "close 3008 inactive, by Timeout, clean");
    });
}

#[test]
fn a_routes_times_are_its_own() {
    block_on(async {
        let settings = Arc::new(RouteSettings::new().inactivity_timeout(secs(5)));
        let app = Arc::new(hooks());
        let resolver = resolve_with(move |request| {
            let route = Route::new(Arc::clone(&app));
            match request.path() {
                "/short" => route.settings(&settings),
                _ => route,
            }
        });
        let server = TestServer::new(resolver);
        let mut short = server.connect("/short").await.unwrap();
        let _long = server.connect("/long").await.unwrap();
        server.advance(secs(6)).await;
        assert_eq!(short.closed().await.code, 3008);
        assert_eq!(server.hub().stats().peers, 1);
    });
}

#[test]
fn a_ping_that_nothing_follows_closes_with_3008() {
    block_on(async {
        let log = Log::default();
        let server = server(&log, Limits::default());
        let mut client = server.connect("/").await.unwrap();
        client.auto_pong(false);
        server.advance(secs(40)).await;
        assert!(matches!(client.next_frame().await, Some(Frame::Ping(_))));
        assert_eq!(log.take(), ["open"]);
        server.advance(secs(8)).await;
        let end = client.closed().await;
        assert_eq!((end.code, &*end.reason), (3008, "silent for too long"));
        let close = "close 3008 silent for too long, by Timeout, not clean";
        assert_eq!(log.take(), [close]);
        assert!(server.hub().peers().is_empty());
    });
}

#[test]
fn any_frame_is_a_sign_of_life() {
    block_on(async {
        let log = Log::default();
        let server = server(&log, Limits::default());
        let mut client = server.connect("/").await.unwrap();
        client.auto_pong(false);
        for _ in 0..20 {
            server.advance(secs(5)).await;
            client.send("I am busy").unwrap();
        }
        server.settle().await;
        assert_eq!(server.hub().peers().len(), 1);
    });
}

#[test]
fn silence_without_pings_ends_at_its_time() {
    block_on(async {
        let log = Log::default();
        let server = server(&log, Limits::default().ping_interval(None));
        let mut client = server.connect("/").await.unwrap();
        server.advance(secs(60)).await;
        client.send("hi").unwrap();
        server.advance(secs(119)).await;
        assert_eq!(log.take(), ["open", "message hi"]);
        server.advance(secs(1)).await;
        assert_eq!(client.closed().await.code, 3008);
        assert_eq!(log.take().len(), 1);
    });
}

#[test]
fn a_life_ends_with_1012() {
    block_on(async {
        let log = Log::default();
        let server = server(&log, Limits::default().max_lifetime(secs(100)));
        let mut client = server.connect("/").await.unwrap();
        server.advance(secs(101)).await;
        let end = client.closed().await;
        assert_eq!((end.code, end.clean), (1012, true));
        let close = "close 1012 connection expired, by Server, clean";
        assert_eq!(log.take().last().unwrap(), close);
    });
}

#[test]
fn credentials_end_with_4401_in_virtual_time() {
    block_on(async {
        let log = Log::default();
        let hooks = log
            .hooks()
            .on_upgrade(|_| async { Ok(Upgrade::new().expires(secs(900))) })
            .on_message(|peer, _| async move { peer.set_expiry(secs(900)) });
        let server = TestServer::new(hooks);
        let mut client = server.connect("/").await.unwrap();
        let peer = server.hub().peers().remove(0);
        assert_eq!(
            peer.expires_at(),
            server.wall_clock().checked_add(secs(900)).map(to_millis)
        );
        server.advance(secs(899)).await;
        client.send("renew").unwrap();
        server.advance(secs(899)).await;
        assert_eq!(server.hub().peers().len(), 1);
        server.advance(secs(1)).await;
        let end = client.closed().await;
        assert_eq!((end.code, end.clean), (4401, true));
        let close = "close 4401 credentials expired, by Timeout, clean";
        assert_eq!(log.take().last().unwrap(), close);
    });
}

/// Rounds a time as an expiry is stored.
fn to_millis(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_millis(since.as_millis() as u64)
}

#[test]
fn a_client_is_not_silent_while_its_hook_is_busy() {
    block_on(async {
        let held = Arc::new(OnceLock::<TestServer>::new());
        let log = Log::default();
        let server = {
            let (log, held) = (log.clone(), Arc::clone(&held));
            let hooks = log.hooks().on_message(move |_, _| {
                let server = held.get().unwrap().clone();
                let log = log.clone();
                async move {
                    server.sleep(secs(120)).await;
                    log.add("done");
                }
            });
            TestServer::builder(hooks)
                .limits(Limits::default().max_inbound(1))
                .build()
        };
        held.set(server.clone()).unwrap();
        let mut client = server.connect("/").await.unwrap();
        for _ in 0..3 {
            client.send("x").unwrap();
        }
        // The third message, and every pong after it, wait in the network.
        server.advance(secs(119)).await;
        assert_eq!(server.hub().peers().len(), 1);
        server.advance(secs(1)).await;
        assert_eq!(log.take(), ["open", "done"]);
    });
}

#[test]
fn a_close_is_heard_by_a_hook_that_has_waited_for_an_hour() {
    block_on(async {
        let log = Log::default();
        let hooks = {
            let log = log.clone();
            log.hooks().on_message(move |peer: Peer, _| {
                let log = log.clone();
                async move {
                    peer.closed().await;
                    log.add("heard");
                }
            })
        };
        let server = TestServer::new(hooks);
        let mut client = server.connect("/").await.unwrap();
        client.send("wait").unwrap();
        server.advance(secs(3600)).await;
        client.close(CloseCode::NORMAL, "");
        assert_eq!(client.closed().await.code, 1000);
        let events = log.take();
        assert_eq!(events[..2], ["open", "heard"]);
        assert_eq!(events[2..18], ["pong b\"\""; 16], "the latest");
        assert_eq!(events[18..], ["close 1000, by Client, clean"]);
    });
}

#[test]
fn next_within_ends_in_virtual_time() {
    block_on(async {
        let held = Arc::new(OnceLock::<TestServer>::new());
        let hooks = {
            let held = Arc::clone(&held);
            hooks().on_message(move |peer: crossws_core::Peer, message| {
                let server = held.get().unwrap().clone();
                async move {
                    server.sleep(secs(3)).await;
                    peer.send(message)
                }
            })
        };
        let server = TestServer::new(hooks);
        held.set(server.clone()).unwrap();
        let mut client = server.connect("/").await.unwrap();
        client.send("slowly").unwrap();
        assert!(client.next_within(secs(2)).await.is_err());
        assert_eq!(server.now(), secs(2));
        let message = client.next_within(secs(2)).await.unwrap().unwrap();
        assert_eq!(message.text(), Ok("slowly"));
        assert_eq!(server.now(), secs(3), "no further than to the message");
        client.vanish();
        assert_eq!(client.next_within(secs(2)).await, Ok(None));
    });
}

#[test]
fn time_stands_still_by_itself() {
    block_on(async {
        let server = TestServer::new(hooks());
        assert!(poll_once(server.sleep(secs(1))).await.is_none());
        server.settle().await;
        assert_eq!(server.now(), Duration::ZERO);
    });
}

#[test]
fn hooks_sleep_in_virtual_time() {
    let hooks = hooks().on_message(|peer, message| async move {
        let millis = message.text()?.parse()?;
        let task = peer.clone();
        peer.spawn(async move {
            task.sleep(Duration::from_millis(millis)).await;
            task.send(millis.to_string())
        });
        crossws_core::ok()
    });
    let server = TestServer::new(hooks);
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        for millis in ["300", "100", "200", "100"] {
            client.send(millis).unwrap();
        }
        server.settle().await;
        server.advance(Duration::from_millis(99)).await;
        assert!(client.try_next().is_none());
        for (step, heard) in [(1, 2), (99, 0), (1, 1), (99, 0), (1, 1)] {
            server.advance(Duration::from_millis(step)).await;
            let heard_now = std::iter::from_fn(|| client.try_next()).count();
            assert_eq!(heard_now, heard);
        }
    });
}

#[test]
fn credentials_end_while_hooks_sleep_and_sleeps_end_with_the_connection() {
    let (ended, hears) = std::sync::mpsc::channel();
    let hooks = hooks()
        .on_upgrade(|_| async { Ok(Upgrade::new().expires(Duration::from_secs(10))) })
        .on_message(move |peer, message| {
            let ended = ended.clone();
            async move {
                let seconds = message.text()?.parse()?;
                peer.sleep(Duration::from_secs(seconds)).await;
                ended.send(seconds)?;
                crossws_core::ok()
            }
        });
    let server = TestServer::new(hooks);
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        client.send("5").unwrap();
        client.send("60").unwrap();
        server.settle().await;
        server.advance(Duration::from_secs(6)).await;
        assert_eq!(hears.try_recv(), Ok(5));
        hears.try_recv().unwrap_err();
        server.advance(Duration::from_secs(4)).await;
        assert_eq!(client.closed().await.code, 4401);
        assert_eq!(hears.try_recv(), Ok(60));
    });
}
