//! Work for a connection's end: it runs once, after `close`, in reverse order.

use std::sync::Arc;

use crossws_core::{Closed, ClosedBy, ErrorKind, HookKind, Hub, OnCloseError, OnError, hooks};
use futures_lite::future::block_on;

use crate::common::{Dropped, Log, Wire, accept, open, turn};

fn closed() -> Closed {
    Closed::lost(ClosedBy::Network)
}

#[test]
fn cleanups_run_once_after_close_and_the_last_one_first() {
    let (hub, log) = (Hub::default(), Log::default());
    let line = log.clone();
    let hooks = hooks().on_close(move |_, _| {
        line.add("close");
        async {}
    });
    let (mut session, _wire) = open(&hub, &Arc::new(hooks), "/");
    let peer = session.peer().clone();
    for name in ["first", "second"] {
        let line = log.clone();
        peer.on_close(async move { line.add(name) }).unwrap();
        turn(&mut session);
    }
    peer.hold(Dropped(log.clone(), "guard")).unwrap();
    assert_eq!(turn(&mut session), None);
    assert_eq!(log.take(), Vec::<String>::new(), "not before the end");
    block_on(session.close(closed()));
    assert_eq!(log.take(), ["close", "guard", "second", "first"]);
    let late = peer.on_close(async {});
    assert!(matches!(late, Err(OnCloseError::Closed)));
}

#[test]
fn what_a_cleanup_leaves_runs_too() {
    let (hub, log) = (Hub::default(), Log::default());
    let (session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let (peer, line) = (session.peer().clone(), log.clone());
    let outer = async move {
        line.add("outer");
        let inner = line.clone();
        peer.on_close(async move { inner.add("inner") })
    };
    session.peer().on_close(outer).unwrap();
    block_on(session.close(closed()));
    assert_eq!(log.take(), ["outer", "inner"]);
}

#[test]
fn a_cleanup_that_fails_or_panics_reaches_error_and_stops_no_other() {
    let (hub, log) = (Hub::default(), Log::default());
    let (line, told) = (log.clone(), log.clone());
    let hooks = hooks().on_error(move |_, error| {
        told.add(format!("{:?}", error.kind()));
        async { OnError::Keep }
    });
    let (session, _wire) = open(&hub, &Arc::new(hooks), "/");
    let peer = session.peer();
    peer.on_close(async move { line.add("ran") }).unwrap();
    let panics = || -> () { panic!("test") };
    peer.on_close(async move { panics() }).unwrap();
    peer.on_close(async { Err::<(), _>("broken") }).unwrap();
    block_on(session.close(closed()));
    let failed = |kind: ErrorKind| format!("{kind:?}");
    assert_eq!(
        log.take(),
        [
            failed(ErrorKind::Hook(HookKind::OnClose)),
            failed(ErrorKind::Panic(HookKind::OnClose)),
            "ran".to_owned()
        ]
    );
}

#[test]
fn what_the_error_hook_leaves_after_the_last_task_has_failed_runs_too() {
    let (hub, log) = (Hub::default(), Log::default());
    let line = log.clone();
    let hooks = hooks().on_error(move |peer, _| {
        let (line, guard) = (line.clone(), Dropped(line.clone(), "dropped"));
        let left = peer.on_close(async move {
            line.add("ran");
            drop(guard);
        });
        left.unwrap();
        async { OnError::Keep }
    });
    let (session, _wire) = open(&hub, &Arc::new(hooks), "/");
    let peer = session.peer().clone();
    peer.on_close(futures_lite::future::yield_now()).unwrap();
    // Fails while the cleanup runs.
    peer.spawn(async { Err::<(), _>("broken") });
    block_on(session.close(closed()));
    assert_eq!(log.take(), ["ran", "dropped"]);
}

#[test]
fn a_session_that_is_dropped_runs_no_cleanup_and_drops_each() {
    let (hub, log) = (Hub::default(), Log::default());
    let (mut session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let (line, guard) = (log.clone(), Dropped(log.clone(), "dropped"));
    let cleanup = async move {
        line.add("ran");
        drop(guard);
    };
    session.peer().on_close(cleanup).unwrap();
    turn(&mut session);
    session.peer().hold(Dropped(log.clone(), "held")).unwrap();
    drop(session);
    let mut seen = log.take();
    seen.sort();
    assert_eq!(seen, ["dropped", "held"]);
}

#[test]
fn a_connection_that_outlives_its_memory_refuses_cleanups() {
    let (hub, log) = (Hub::default(), Log::default());
    let wire = Wire::sleepy(4096);
    let joined = accept(&hub, &Arc::new(hooks()), "/").join(wire.transport());
    let session = block_on(joined.unwrap().open());
    let refused = session.peer().hold(Dropped(log.clone(), "dropped"));
    assert!(matches!(refused, Err(OnCloseError::Unsupported)));
    assert_eq!(log.take(), ["dropped"]);
}
