//! The end of a connection with a loop: what the loop gets, what it leaves behind, and what ends
//! with it.

use std::pin::pin;
use std::sync::Arc;

use crossws_core::adapter::{PeerEvents, Start};
use crossws_core::{
    CancelToken, Capabilities, CloseCode, CloseFrame, Closed, ClosedBy, Handler, HandlerEnd, Hub,
    HubBuilder, Incoming, OnError, Peer, Unsupported, handler, hooks, keep_open, keep_open_then,
};
use futures_lite::future::{block_on, poll_once};

use crate::common::*;

#[test]
fn a_loop_learns_how_its_connection_ended() {
    let (hub, log) = (Hub::default(), Log::default());
    let line = log.clone();
    let hooks = Arc::new(handler(move |peer, mut incoming: Incoming| {
        let line = line.clone();
        async move {
            while let Some(message) = incoming.next().await {
                peer.send(message)?;
            }
            for _ in 0..2 {
                let closed = incoming.closed().await;
                line.add(format!("{} {:?} {}", closed.code, closed.by, closed.clean));
            }
            assert_eq!(incoming.peer(), &peer);
            Ok(())
        }
    }));
    let (session, _wire) = open(&hub, &hooks, "/");
    let frame = CloseFrame::new(CloseCode::AWAY, "elsewhere");
    block_on(session.close(Closed::by_client(Some(&frame))));
    assert_eq!(log.take(), ["1001 Client true", "1001 Client true"]);
    let (session, _wire) = open(&hub, &hooks, "/");
    block_on(session.close(Closed::lost(ClosedBy::Network)));
    assert_eq!(log.take(), ["1006 Network false", "1006 Network false"]);
    assert_empty(&hub);
}

#[test]
fn the_end_may_be_waited_for_without_a_look_at_messages() {
    let (hub, log) = (Hub::default(), Log::default());
    let line = log.clone();
    let hooks = Arc::new(handler(move |_, mut incoming: Incoming| {
        let line = line.clone();
        async move {
            line.add(incoming.closed().await.code.to_string());
            Ok(())
        }
    }));
    let (mut session, _wire) = open(&hub, &hooks, "/");
    turn(&mut session);
    block_on(session.message("ignored".into()));
    block_on(session.message("as well".into()));
    assert_eq!(log.take(), [""; 0]);
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["1005"]);
}

#[test]
fn next_loses_nothing_where_a_select_drops_it() {
    let (hub, log) = (Hub::default(), Log::default());
    let line = log.clone();
    let hooks = Arc::new(handler(move |_, mut incoming: Incoming| {
        let line = line.clone();
        async move {
            loop {
                // As a branch of `select!` that another one overtakes.
                for _ in 0..3 {
                    if let Some(Some(early)) = poll_once(incoming.next()).await {
                        line.add(format!("{early}"));
                    }
                }
                match incoming.next().await {
                    Some(message) => line.add(format!("{message}")),
                    None => return Ok(()),
                }
            }
        }
    }));
    let (mut session, _wire) = open(&hub, &hooks, "/");
    for text in ["1", "2", "3", "4"] {
        block_on(session.message(text.into()));
    }
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["1", "2", "3", "4"]);
}

#[test]
fn a_loop_closes_with_the_code_that_it_returns() {
    let hub = Hub::default();
    let restart = Arc::new(handler(|_, _| async { Ok(CloseCode::RESTART) }));
    let (mut session, wire) = open(&hub, &restart, "/");
    turn(&mut session);
    assert_eq!(wire.closes(), [1012]);
    let frame = || CloseFrame::new(CloseCode::POLICY, "enough");
    let policy = Arc::new(handler(move |_, _| async move { Ok(frame()) }));
    let (mut session, wire) = open(&hub, &policy, "/");
    turn(&mut session);
    assert_eq!(wire.take(), [Out::Close(1008, "enough".to_owned())]);
}

fn guarded(log: &Log) -> Arc<Handler> {
    let log = log.clone();
    Arc::new(handler(move |_, _| {
        let guard = Dropped(log.clone(), "cleanup");
        async move { Ok(keep_open(guard)) }
    }))
}

#[test]
fn a_guard_that_a_loop_returns_is_dropped_once_when_the_connection_has_ended() {
    let (hub, log) = (Hub::default(), Log::default());
    let (mut session, wire) = open(&hub, &guarded(&log), "/");
    turn(&mut session);
    block_on(session.message("discarded".into()));
    assert_eq!(
        (wire.closes(), log.take()),
        (vec![], vec![]),
        "it stays open"
    );
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["cleanup"]);
    assert_empty(&hub);
}

#[test]
fn a_guard_is_dropped_once_where_no_close_hook_runs() {
    let (hub, log) = (Hub::default(), Log::default());
    let (mut session, _wire) = open(&hub, &guarded(&log), "/");
    turn(&mut session);
    drop(session);
    assert_eq!(log.take(), ["cleanup"]);
    // Before the loop has run at all.
    let (session, _wire) = open(&hub, &guarded(&log), "/");
    drop(session);
    assert_eq!(log.take(), ["cleanup"]);
    assert_empty(&hub);
}

#[test]
fn a_cleanup_runs_once_with_how_the_connection_ended_and_close_waits_for_it() {
    let (hub, log, gate) = (Hub::default(), Log::default(), Gate::default());
    let (lines, wait) = (log.clone(), gate.clone());
    let hooks = handler(move |_, _| {
        let (lines, wait) = (lines.clone(), wait.clone());
        let cleanup = move |closed: Closed| async move {
            lines.add(format!("cleanup {}", closed.code));
            wait.passed().await;
            Err::<(), _>("broken")
        };
        async move { Ok(keep_open_then(cleanup)) }
    });
    let errors = log.clone();
    let hooks = Arc::new(hooks.on_error(move |_, error| {
        errors.add(error.to_string());
        async { OnError::default() }
    }));
    let (mut session, _wire) = open(&hub, &hooks, "/");
    turn(&mut session);
    let mut closing = Hand::new(session.close(Closed::by_client(None)));
    closing.pending();
    assert_eq!(log.take(), ["cleanup 1005"]);
    gate.open();
    closing.done();
    assert_eq!(log.take(), ["the task hook failed: broken"]);
    assert_empty(&hub);
}

#[test]
fn a_hub_whose_connections_cannot_hold_a_loop_does_not_start_one() {
    let hub = HubBuilder::default().lacks(Capabilities::HANDLER).build();
    assert!(!hub.supports(Capabilities::HANDLER | Capabilities::PUBSUB));
    assert!(hub.supports(Capabilities::PUBSUB));
    let looped = Arc::new(handler(|_, _| async { Ok(HandlerEnd::Close) }));
    let error = block_on(Start::default().run(&looped, &hub)).unwrap_err();
    assert!(error.downcast_ref::<Unsupported>().is_some(), "{error}");
    block_on(Start::default().run(&looped, &Hub::default())).unwrap();
    block_on(Start::default().run(&Arc::new(hooks()), &hub)).unwrap();
}

#[test]
fn a_token_is_cancelled_when_the_connection_is_ending() {
    let hub = Hub::default();
    let app = Arc::new(hooks());
    let cancelled = |end: fn(&Peer, &PeerEvents)| {
        let (session, events) = open_events(&hub, &app);
        let token = session.peer().cancel_token();
        let other = token.clone();
        let mut waiting = Hand::new(async move { other.cancelled().await });
        waiting.pending();
        assert!(!token.is_cancelled());
        end(session.peer(), &events);
        assert!(token.is_cancelled());
        waiting.done();
        block_on(token.cancelled());
    };
    cancelled(|peer, _| peer.close(CloseCode::NORMAL, ""));
    cancelled(|peer, _| peer.terminate());
    cancelled(|_, events| events.ended());
    cancelled(|peer, _| peer.hub().shutdown(CloseFrame::from(CloseCode::RESTART)));
}

#[test]
fn a_token_outlives_its_peer_and_does_not_keep_it() {
    let hub = Hub::default();
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let (token, weak) = (session.peer().cancel_token(), session.peer().downgrade());
    let mut waiting = Hand::new(token.cancelled());
    waiting.pending();
    drop(session);
    assert!(weak.upgrade().is_none());
    waiting.done();
    assert!(token.is_cancelled());
}

#[test]
fn what_runs_until_cancelled_is_dropped_then() {
    let (hub, log, gate) = (Hub::default(), Log::default(), Gate::default());
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let token: CancelToken = session.peer().cancel_token();
    assert_eq!(block_on(token.run_until_cancelled(async { 7 })), Some(7));
    let (guard, wait) = (Dropped(log.clone(), "dropped"), gate.clone());
    let mut running = pin!(token.run_until_cancelled(async move {
        wait.passed().await;
        drop(guard);
    }));
    assert!(block_on(poll_once(running.as_mut())).is_none());
    session.peer().close(CloseCode::NORMAL, "");
    assert_eq!(block_on(running.as_mut()), None);
    drop(session);
    assert_eq!(block_on(token.run_until_cancelled(async { 7 })), None);
}
