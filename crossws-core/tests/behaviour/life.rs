//! The order of a peer's hooks, and what is left when a peer is gone.

use std::sync::Arc;

use crossws_core::{
    CloseCode, CloseFrame, Closed, ClosedBy, Hooks, Hub, Message, PeerState, Upgrade, hooks,
};
use futures_lite::future::block_on;

use crate::common::{Gate, Hand, Log, Out, accept, assert_empty, join, open};

/// Hooks that log their names.
fn logging(log: &Log) -> Arc<impl Hooks + use<>> {
    let line = |log: &Log| {
        let log = log.clone();
        move |text: String| log.add(text)
    };
    let (open, message, drain) = (line(log), line(log), line(log));
    let (ping, pong, close) = (line(log), line(log), line(log));
    let hooks = hooks()
        .on_upgrade(|_| async { Ok(Upgrade::new().topic("born with")) })
        .on_open(move |peer| {
            open(format!("open {:?}", peer.state()));
            async {}
        })
        .on_message(move |_, text| {
            message(format!("message {text}"));
            async {}
        })
        .on_drain(move |_| {
            drain("drain".to_owned());
            async {}
        })
        .on_ping(move |_, data| {
            ping(format!("ping {data:?}"));
            async {}
        })
        .on_pong(move |_, data| {
            pong(format!("pong {data:?}"));
            async {}
        })
        .on_close(move |peer, closed| {
            let Closed {
                code, clean, by, ..
            } = closed;
            close(format!("close {code} {clean} {by:?} {:?}", peer.state()));
            async {}
        });
    Arc::new(hooks)
}

#[test]
fn every_hook_in_order_of_arrival_and_close_last() {
    let (hub, log) = (Hub::default(), Log::default());
    let (mut session, _wire) = open(&hub, &logging(&log), "/");
    block_on(async {
        session.message("1".into()).await;
        session.ping("p".into()).await;
        session.message("2".into()).await;
        session.pong("q".into()).await;
        session.drain().await;
        session.close(Closed::by_client(None)).await;
    });
    assert_eq!(
        log.take(),
        [
            "open Open",
            "message 1",
            "ping b\"p\"",
            "message 2",
            "pong b\"q\"",
            "drain",
            "close 1005 true Client Closed"
        ]
    );
    assert_empty(&hub);
}

#[test]
fn open_ends_before_the_session_exists() {
    let (hub, gate) = (Hub::default(), Gate::default());
    let wait = gate.clone();
    let hooks = Arc::new(hooks().on_open(move |peer| {
        let wait = wait.clone();
        async move {
            peer.send("before").unwrap();
            wait.passed().await;
            peer.send("after")
        }
    }));
    let (joined, wire) = join(&hub, &hooks, "/");
    let mut opening = Hand::new(joined.open());
    opening.pending();
    assert_eq!(wire.texts(), ["before"], "on the wire while the hook waits");
    gate.open();
    let session = opening.done();
    assert_eq!(wire.texts(), ["after"]);
    drop(session);
    assert_empty(&hub);
}

#[test]
fn nothing_is_delivered_after_this_side_closed() {
    let (hub, log) = (Hub::default(), Log::default());
    let (mut session, wire) = open(&hub, &logging(&log), "/");
    let peer = session.peer().clone();
    peer.close(CloseCode::NORMAL, "bye");
    peer.close(CloseCode::POLICY, "twice");
    block_on(async {
        session.message("late".into()).await;
        session.ping("late".into()).await;
        session.pong("late".into()).await;
        session.drain().await;
    });
    assert_eq!(wire.take(), [Out::Close(1000, "bye".to_owned())]);
    let frame = CloseFrame::new(CloseCode::NORMAL, "bye");
    block_on(session.close(Closed::by_us(&frame, ClosedBy::Server, true)));
    assert_eq!(log.take(), ["open Open", "close 1000 true Server Closed"]);
    assert_empty(&hub);
}

#[test]
fn what_arrived_before_the_client_left_is_still_delivered() {
    let (hub, log) = (Hub::default(), Log::default());
    let (joined, _wire) = join(&hub, &logging(&log), "/");
    let lifeline = joined.lifeline();
    let mut session = block_on(joined.open());
    lifeline.ended();
    assert!(!lifeline.closed_here());
    block_on(async {
        session.message("queued".into()).await;
        // No client is left to send to, so no hook runs for its queue.
        session.drain().await;
        session.close(Closed::lost(ClosedBy::Network)).await;
    });
    let lines = log.take();
    assert_eq!(
        lines[1..],
        ["message queued", "close 1006 false Network Closed"]
    );
}

#[test]
fn states_go_one_way() {
    let (hub, log) = (Hub::default(), Log::default());
    let (joined, _wire) = join(&hub, &logging(&log), "/");
    let peer = joined.peer().clone();
    assert_eq!(peer.state(), PeerState::Open);
    let session = block_on(joined.open());
    peer.close(CloseCode::NORMAL, "");
    assert_eq!(peer.state(), PeerState::Closing);
    drop(session);
    assert_eq!(peer.state(), PeerState::Closed);
    peer.close(CloseCode::NORMAL, "");
    peer.terminate();
    assert_eq!(peer.state(), PeerState::Closed);
    let numbers = [PeerState::Open, PeerState::Closing, PeerState::Closed].map(|state| state as u8);
    assert_eq!(numbers, [1, 2, 3], "the browser's readyState");
}

#[test]
fn the_first_to_end_it_is_the_one_who_did() {
    let (hub, log) = (Hub::default(), Log::default());
    let frame = CloseFrame::from(CloseCode::RESTART);
    let by_us = || Closed::by_us(&frame, ClosedBy::Server, false);
    // The hub, in a shutdown: an adapter knows only that this side closed.
    let (session, wire) = open(&hub, &logging(&log), "/");
    session.peer().hub().shutdown(frame.clone());
    session.peer().close(CloseCode::NORMAL, "late");
    block_on(session.close(by_us()));
    assert_eq!(wire.closes(), [1012]);
    assert_eq!(
        log.take().pop().unwrap(),
        "close 1012 false Shutdown Closed"
    );
    // A hook, before a shutdown.
    let hub = Hub::default();
    let (session, wire) = open(&hub, &logging(&log), "/");
    session.peer().close(CloseCode::NORMAL, "");
    hub.shutdown(frame.clone());
    block_on(session.close(by_us()));
    assert_eq!(wire.closes(), [1000]);
    assert_eq!(log.take().pop().unwrap(), "close 1012 false Server Closed");
    // The client, before a shutdown.
    let hub = Hub::default();
    let (joined, wire) = join(&hub, &logging(&log), "/");
    joined.lifeline().ended();
    hub.shutdown(frame.clone());
    let session = block_on(joined.open());
    block_on(session.close(Closed::by_client(Some(&frame))));
    assert_eq!(wire.closes(), [0u16; 0]);
    assert_eq!(log.take().pop().unwrap(), "close 1012 true Client Closed");
}

#[test]
fn terminate_drops_the_connection_also_while_it_closes() {
    let (hub, log) = (Hub::default(), Log::default());
    let (session, wire) = open(&hub, &logging(&log), "/");
    session.peer().close(CloseCode::NORMAL, "");
    session.peer().terminate();
    assert_eq!(
        wire.take(),
        [Out::Close(1000, String::new()), Out::Terminate]
    );
    let (session, wire) = open(&hub, &logging(&log), "/");
    session.peer().terminate();
    session.peer().close(CloseCode::NORMAL, "");
    assert_eq!(wire.take(), [Out::Terminate]);
    assert_eq!(session.peer().state(), PeerState::Closing);
}

#[test]
fn each_step_dropped_leaves_nothing_behind() {
    let (hub, log) = (Hub::default(), Log::default());
    let hooks = logging(&log);

    drop(accept(&hub, &hooks, "/a"));
    assert_empty(&hub);

    let (joined, _wire) = join(&hub, &hooks, "/a");
    let peer = joined.peer().clone();
    assert_eq!(hub.peers(), std::slice::from_ref(&peer));
    assert_eq!(hub.in_namespace("/a").count("born with"), 1);
    assert_eq!(hub.stats().sessions, 1);
    drop(joined);
    assert_eq!(peer.state(), PeerState::Closed);
    assert_empty(&hub);

    let (joined, _wire) = join(&hub, &hooks, "/a");
    drop(joined.open());
    assert_empty(&hub);
    assert!(log.take().is_empty(), "no hook ran");

    let (session, _wire) = open(&hub, &hooks, "/a");
    session.peer().subscribe("more").unwrap();
    drop(session);
    assert_empty(&hub);
    assert_eq!(
        log.take(),
        ["open Open"],
        "close runs only when it is asked to"
    );
}

#[test]
fn dropping_a_hook_in_the_middle_drops_the_peer() {
    let (hub, log) = (Hub::default(), Log::default());
    let stuck = Arc::new(hooks().on_open(|_| std::future::pending::<()>()));
    let (joined, _wire) = join(&hub, &stuck, "/");
    let peer = joined.peer().clone();
    let mut opening = Hand::new(joined.open());
    opening.pending();
    drop(opening);
    assert_eq!(peer.state(), PeerState::Closed);
    assert_empty(&hub);

    let stuck = Arc::new(hooks().on_close(|_, _| std::future::pending::<()>()));
    let (session, _wire) = open(&hub, &stuck, "/");
    let mut closing = Hand::new(session.close(Closed::by_client(None)));
    closing.pending();
    assert_eq!(hub.stats().sessions, 1, "a close hook is still running");
    assert!(crate::common::ready(hub.idle()).is_none());
    drop(closing);
    assert_empty(&hub);
    assert!(log.take().is_empty());
}

#[test]
fn the_peer_has_left_before_its_close_hook_and_can_still_publish() {
    let (hub, log) = (Hub::default(), Log::default());
    let line = log.clone();
    let hooks = Arc::new(hooks().on_close(move |peer, _| {
        line.add(format!("{:?} {}", peer.topics(), peer.peers().len()));
        line.add(format!("{:?}", peer.send("late").is_err()));
        line.add(format!("{:?}", peer.subscribe("room").is_err()));
        peer.publish("room", "left").unwrap();
        peer.broadcast("gone").unwrap();
        async {}
    }));
    let (one, one_wire) = open(&hub, &hooks, "/");
    let (two, two_wire) = open(&hub, &hooks, "/");
    one.peer().subscribe("room").unwrap();
    two.peer().subscribe("room").unwrap();
    block_on(one.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["[] 1", "true", "true"]);
    assert_eq!(two_wire.texts(), ["left", "gone"]);
    assert_eq!(one_wire.texts(), [""; 0]);
}

#[test]
fn closed_and_drained_resolve_while_a_hook_runs() {
    let (hub, log) = (Hub::default(), Log::default());
    let line = log.clone();
    let hooks = Arc::new(hooks().on_message(move |peer, message: Message| {
        let line = line.clone();
        async move {
            match &*message.to_string() {
                "closed" => peer.closed().await,
                _ => peer.drained(10).await,
            }
            line.add(format!("{message} {:?}", peer.state()));
        }
    }));
    let (joined, wire) = join(&hub, &hooks, "/");
    let lifeline = joined.lifeline();
    let mut session = block_on(joined.open());

    wire.buffer(11);
    let mut hook = Hand::new(session.message("drained".into()));
    hook.pending();
    lifeline.drained();
    hook.pending();
    wire.buffer(10);
    lifeline.drained();
    hook.done();
    drop(hook);
    assert_eq!(log.take(), ["drained Open"]);

    wire.buffer(11);
    let mut both = Hand::new(session.message("drained".into()));
    both.pending();
    lifeline.ended();
    both.done();
    drop(both);
    assert_eq!(
        log.take(),
        ["drained Closing"],
        "the peer is going: no use waiting"
    );

    let (joined, _wire) = join(&hub, &hooks, "/");
    let lifeline = joined.lifeline();
    let mut session = block_on(joined.open());
    let mut hook = Hand::new(session.message("closed".into()));
    hook.pending();
    lifeline.ended();
    hook.done();
    drop(hook);
    let peer = session.peer().clone();
    block_on(peer.closed());
    assert_eq!(log.take(), ["closed Closing"]);

    let (mut session, _wire) = open(&hub, &hooks, "/");
    let peer = session.peer().clone();
    let mut hook = Hand::new(session.message("closed".into()));
    hook.pending();
    peer.close(CloseCode::NORMAL, "");
    hook.done();
}
