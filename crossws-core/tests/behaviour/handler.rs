//! The second handler style: a loop that owns the connection.

use std::sync::Arc;

use crossws_core::adapter::Session;
use crossws_core::{
    BoxError, Capabilities, CloseCode, CloseFrame, Closed, ClosedBy, ErrorKind, Handler,
    HandlerEnd, HookKind, Hub, Incoming, Message, OnError, Peer, PeerState, Unsupported, Upgrade,
    handler,
};
use futures_lite::StreamExt;
use futures_lite::future::block_on;

use crate::common::{Gate, Hand, Log, Wire, accept, assert_empty, open, poll_tasks, ready, turn};

/// Returns a loop that logs its messages and waits for `gate` after each.
fn looping(log: &Log, gate: &Gate) -> Arc<Handler> {
    let (log, gate) = (log.clone(), gate.clone());
    Arc::new(handler(move |_, mut incoming: Incoming| {
        let (log, gate) = (log.clone(), gate.clone());
        async move {
            while let Some(message) = incoming.next().await {
                log.add(message.to_string());
                gate.passed().await;
            }
            log.add("end");
            Ok(())
        }
    }))
}

fn opened(gate: bool) -> (Hub, Session<Handler>, Log, Gate) {
    let (hub, log, signal) = (Hub::default(), Log::default(), Gate::default());
    if gate {
        signal.open();
    }
    let (mut session, _wire) = open(&hub, &looping(&log, &signal), "/");
    turn(&mut session);
    (hub, session, log, signal)
}

#[test]
fn messages_come_in_order_and_one_at_a_time() {
    let (hub, mut session, log, gate) = opened(false);
    let mut first = Hand::new(session.message("1".into()));
    first.done();
    drop(first);
    assert_eq!(log.take(), ["1"]);
    let mut second = Hand::new(session.message("2".into()));
    second.pending();
    assert!(
        log.take().is_empty(),
        "a busy loop holds the connection back"
    );
    gate.open();
    second.done();
    drop(second);
    block_on(session.message("3".into()));
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["2", "3", "end"]);
    assert_empty(&hub);
}

#[test]
fn a_transport_that_cannot_hold_a_loop_says_so() {
    let (hub, log) = (Hub::default(), Log::default());
    let seen = log.clone();
    let hooks = handler(|_, _: Incoming| async { Ok(()) }).on_error(move |_, error| {
        assert!(error.downcast_ref::<Unsupported>().is_some());
        seen.add(error.to_string());
        async { OnError::default() }
    });
    let wire = Wire::without(Capabilities::HANDLER);
    let joined = accept(&hub, &Arc::new(hooks), "/").join(wire.transport());
    let session = block_on(joined.unwrap().open());
    assert_eq!(
        log.take(),
        [
            "the open hook failed: this transport does not support a handler that owns the connection"
        ]
    );
    assert_eq!(wire.closes(), [1011]);
    drop(session);
    assert_empty(&hub);
}

#[test]
fn the_stream_yields_the_same() {
    let (hub, log) = (Hub::default(), Log::default());
    let line = log.clone();
    let hooks = Arc::new(handler(move |peer, incoming| {
        let line = line.clone();
        async move {
            let all: Vec<Message> = incoming.collect().await;
            line.add(format!("{all:?} {:?}", peer.state()));
            Ok(())
        }
    }));
    let (mut session, _wire) = open(&hub, &hooks, "/");
    block_on(session.message("a".into()));
    block_on(session.message(Message::from(vec![1u8])));
    block_on(session.close(Closed::lost(ClosedBy::Network)));
    let seen = log.take();
    assert!(
        seen[0].starts_with("[Text(\"a\", 1 bytes), Binary("),
        "{seen:?}"
    );
    assert!(seen[0].ends_with("Closed"), "{seen:?}");
}

#[test]
fn incoming_ends_whichever_side_ended_the_connection() {
    // The client.
    let (hub, session, log, _) = opened(true);
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["end"]);
    assert_empty(&hub);
    // The server.
    let (hub, mut session, log, _) = opened(true);
    session.peer().close(CloseCode::NORMAL, "");
    block_on(session.message("late".into()));
    let frame = CloseFrame::from(CloseCode::NORMAL);
    block_on(session.close(Closed::by_us(&frame, ClosedBy::Server, true)));
    assert_eq!(log.take(), ["end"], "and nothing that came later");
    assert_empty(&hub);
    // A shutdown.
    let (hub, session, log, _) = opened(true);
    hub.shutdown(CloseFrame::from(CloseCode::RESTART));
    block_on(session.close(Closed::lost(ClosedBy::Shutdown)));
    assert_eq!(log.take(), ["end"]);
    assert_empty(&hub);
}

#[test]
fn the_close_hook_waits_for_the_loop() {
    let (hub, mut session, log, gate) = opened(false);
    block_on(session.message("1".into()));
    let mut closing = Hand::new(session.close(Closed::by_client(None)));
    closing.pending();
    assert_eq!(hub.stats().sessions, 1);
    gate.open();
    closing.done();
    assert_eq!(log.take(), ["1", "end"]);
    assert_empty(&hub);
}

#[test]
fn a_message_that_waited_when_the_client_left_is_not_lost() {
    let (_hub, mut session, log, gate) = opened(false);
    block_on(session.message("1".into()));
    let peer = session.peer().clone();
    let mut second = Hand::new(session.message("2".into()));
    second.pending();
    gate.open();
    second.done();
    drop(second);
    assert_eq!(peer.state(), PeerState::Open);
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["1", "2", "end"]);
}

#[test]
fn a_loop_that_returns_closes_with_1000_unless_it_returns_another_end() {
    let hub = Hub::default();
    let closes = Arc::new(handler(|_, _| async { Ok(()) }));
    let (mut session, wire) = open(&hub, &closes, "/");
    assert_eq!(wire.closes(), [0u16; 0], "not before it ran");
    turn(&mut session);
    assert_eq!(wire.closes(), [1000]);
    block_on(session.close(Closed::by_client(None)));

    let keeps = Arc::new(handler(|_, _| async { Ok(HandlerEnd::KeepOpen) }));
    let (mut session, wire) = open(&hub, &keeps, "/");
    turn(&mut session);
    assert_eq!(session.peer().state(), PeerState::Open);
    session.peer().send("still here").unwrap();
    block_on(session.message("discarded".into()));
    assert_eq!(wire.texts(), ["still here"]);
    block_on(session.close(Closed::by_client(None)));
    assert_empty(&hub);
}

#[test]
fn a_loop_that_drops_incoming_goes_on() {
    let (hub, log, gate) = (Hub::default(), Log::default(), Gate::default());
    let (line, wait) = (log.clone(), gate.clone());
    let hooks = Arc::new(handler(move |peer: Peer, mut incoming: Incoming| {
        let (line, wait) = (line.clone(), wait.clone());
        async move {
            let first = incoming.next().await;
            line.add(format!("{}", first.unwrap()));
            wait.passed().await;
            drop(incoming);
            line.add("dropped");
            peer.closed().await;
            line.add("closed");
            Ok(())
        }
    }));
    let (mut session, wire) = open(&hub, &hooks, "/");
    turn(&mut session);
    block_on(session.message("1".into()));
    let mut waiting = Hand::new(session.message("2".into()));
    waiting.pending();
    gate.open();
    waiting.done();
    drop(waiting);
    block_on(session.message("3".into()));
    assert_eq!(wire.take(), []);
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["1", "dropped", "closed"]);
    assert_empty(&hub);
}

#[test]
fn errors_and_panics_of_the_loop_reach_error() {
    let (hub, log) = (Hub::default(), Log::default());
    let errors = |log: &Log| {
        let log = log.clone();
        move |_: Peer, error: crossws_core::Error| {
            log.add(error.to_string());
            async { OnError::Keep }
        }
    };
    let fails = handler(|_, mut incoming| async move {
        incoming.next().await;
        Err::<(), BoxError>("broken".into())
    });
    let fails = Arc::new(fails.on_error(errors(&log)));
    let (mut session, wire) = open(&hub, &fails, "/");
    block_on(session.message("1".into()));
    assert_eq!(turn(&mut session), Some(ErrorKind::Hook(HookKind::Task)));
    assert_eq!(wire.closes(), [0u16; 0], "kept");
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["the task hook failed: broken"]);

    let panics = handler(|_, mut incoming: Incoming| async move {
        incoming.next().await.unwrap();
        assert!(incoming.next().await.is_none(), "a bug");
        Ok(())
    });
    let panics = Arc::new(panics.on_error(errors(&log)));
    let (mut session, wire) = open(&hub, &panics, "/");
    block_on(session.message("1".into()));
    block_on(session.message("2".into()));
    assert_eq!(turn(&mut session), Some(ErrorKind::Panic(HookKind::Task)));
    assert_eq!(wire.closes(), [1011], "although the hook keeps");
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["the task hook panicked: a bug"]);

    // Without an `error` hook: the default, which closes.
    let fails = handler(|_, _| async { Err::<(), BoxError>("broken".into()) });
    let (mut session, wire) = open(&hub, &Arc::new(fails), "/");
    turn(&mut session);
    assert_eq!(wire.closes(), [1011]);
    drop(session);

    // The closure itself panics, before there is a loop.
    #[allow(unreachable_code)]
    let panics = handler(|_, _| {
        panic!("at once");
        async { Ok(()) }
    });
    let (session, wire) = open(&hub, &Arc::new(panics), "/");
    assert_eq!(wire.closes(), [1011]);
    block_on(session.close(Closed::by_client(None)));
    assert_empty(&hub);
}

#[test]
fn incoming_may_be_taken_elsewhere() {
    let hub = Hub::default();
    let moved = Arc::new(std::sync::Mutex::new(None::<Incoming>));
    let place = Arc::clone(&moved);
    let hooks = Arc::new(handler(move |_, incoming| {
        *place.lock().unwrap() = Some(incoming);
        async { Ok(HandlerEnd::KeepOpen) }
    }));
    let (mut session, _wire) = open(&hub, &hooks, "/");
    turn(&mut session);
    let mut incoming = moved.lock().unwrap().take().unwrap();
    let mut elsewhere = Hand::new(async move {
        let first = incoming.next().await;
        (first, incoming.next().await)
    });
    elsewhere.pending();
    let mut hook = Hand::new(session.message("1".into()));
    hook.pending();
    elsewhere.pending();
    hook.done();
    drop(hook);
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(elsewhere.done(), (Some("1".into()), None));
}

#[test]
fn a_handlers_upgrade_hook_is_run() {
    let hub = Hub::default();
    let hooks = handler(|_, _| async { Ok(()) })
        .on_upgrade(|_| async { Ok(Upgrade::new().namespace("chosen")) });
    let (session, _wire) = open(&hub, &Arc::new(hooks), "/");
    assert_eq!(session.peer().namespace(), "chosen");
}

#[test]
fn a_session_dropped_drops_the_loop() {
    let (hub, mut session, log, _) = opened(true);
    block_on(session.message("1".into()));
    assert!(ready(poll_tasks(&mut session)).is_none());
    drop(session);
    assert_eq!(log.take(), ["1"]);
    assert_empty(&hub);
}
