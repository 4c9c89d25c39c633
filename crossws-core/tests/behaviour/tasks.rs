//! Futures that a peer spawns: they run concurrently with the hooks, and no longer than the
//! connection.

use std::sync::Arc;

use crossws_core::{Closed, ErrorKind, HookKind, Hub, hooks};
use futures_lite::future::block_on;

use crate::common::{Dropped, Gate, Hand, Log, assert_empty, open, poll_tasks, turn};

#[test]
fn tasks_run_between_hooks_and_their_spawning_wakes_the_session() {
    let (hub, log) = (Hub::default(), Log::default());
    let (mut session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let peer = session.peer().clone();
    let mut idle = Hand::new(poll_tasks(&mut session));
    idle.pending();
    let line = log.clone();
    peer.spawn(async move { line.add("ran") });
    idle.pending();
    assert_eq!(log.take(), ["ran"]);
    // A task that spawns a task.
    let (line, from) = (log.clone(), peer.clone());
    peer.spawn(async move {
        let line = line.clone();
        from.spawn(async move { line.add("inner") });
    });
    idle.pending();
    assert_eq!(log.take(), ["inner"]);
    peer.spawn(async { Err::<(), _>("broken") });
    assert_eq!(
        idle.done().failure().unwrap().kind(),
        ErrorKind::Hook(HookKind::Task)
    );
}

#[test]
fn spawned_futures_run_while_a_hook_runs_and_their_failures_wait_for_its_end() {
    let (hub, log) = (Hub::default(), Log::default());
    let (gate, task_gate) = (Gate::default(), Gate::default());
    let (wait, task_wait, line) = (gate.clone(), task_gate.clone(), log.clone());
    let hooks = Arc::new(
        hooks()
            .on_message(move |peer, _| {
                let (wait, task_wait) = (wait.clone(), task_wait.clone());
                let line = line.clone();
                async move {
                    for n in 1..=3 {
                        let (task_wait, line) = (task_wait.clone(), line.clone());
                        peer.spawn(async move {
                            task_wait.passed().await;
                            line.add(format!("task {n}"));
                            Err::<(), _>(format!("failure {n}"))
                        });
                    }
                    wait.passed().await;
                    line.add("hook ends");
                }
            })
            .on_error({
                let line = log.clone();
                move |_, error| {
                    line.add(error.to_string());
                    async { crossws_core::OnError::Keep }
                }
            }),
    );
    let (mut session, _wire) = open(&hub, &hooks, "/");
    let mut hook = Hand::new(session.message("go".into()));
    hook.pending();
    task_gate.open();
    hook.pending();
    let mut ran = log.take();
    ran.sort();
    assert_eq!(ran, ["task 1", "task 2", "task 3"]);
    gate.open();
    hook.done();
    drop(hook);
    assert_eq!(log.take(), ["hook ends"]);
    turn(&mut session);
    assert_eq!(log.take().len(), 3, "each failure is reported");
}

#[test]
fn failures_are_reported_in_the_order_they_happened() {
    let (hub, log) = (Hub::default(), Log::default());
    let line = log.clone();
    let hooks = Arc::new(hooks().on_error(move |_, error| {
        line.add(error.to_string());
        async { crossws_core::OnError::Keep }
    }));
    let (mut session, _wire) = open(&hub, &hooks, "/");
    session.peer().spawn(async { Err::<(), _>("1") });
    session.peer().spawn(async { Err::<(), _>("2") });
    session.peer().spawn(async { Err::<(), _>("3") });
    turn(&mut session);
    let expected = [1, 2, 3].map(|n| format!("the task hook failed: {n}"));
    assert_eq!(log.take(), expected);
}

#[test]
fn tasks_are_dropped_when_the_close_hook_has_ended() {
    let (hub, log) = (Hub::default(), Log::default());
    let (gate, line) = (Gate::default(), log.clone());
    let wait = gate.clone();
    let hooks = Arc::new(hooks().on_close(move |_, _| {
        let (wait, line) = (wait.clone(), line.clone());
        async move {
            wait.passed().await;
            line.add("close hook ends");
        }
    }));
    let (mut session, _wire) = open(&hub, &hooks, "/");
    let peer = session.peer().clone();
    let guard = Dropped(log.clone(), "task dropped");
    peer.spawn(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    turn(&mut session);
    let mut closing = Hand::new(session.close(Closed::by_client(None)));
    closing.pending();
    let line = log.clone();
    peer.spawn(async move { line.add("while closing") });
    closing.pending();
    assert_eq!(log.take(), ["while closing"]);
    gate.open();
    closing.done();
    assert_eq!(log.take(), ["close hook ends", "task dropped"]);
    // No task polls it any more.
    let guard = Dropped(log.clone(), "too late");
    peer.spawn(async move { drop(guard) });
    assert_eq!(log.take(), ["too late"]);
    assert_empty(&hub);
}

#[test]
fn a_failure_before_the_end_is_reported_before_close() {
    let (hub, log) = (Hub::default(), Log::default());
    let (gate, wait) = (Gate::default(), Gate::default());
    let (failing, hook_waits) = (gate.clone(), wait.clone());
    let (on_error, on_close) = (log.clone(), log.clone());
    let hooks = Arc::new(
        hooks()
            .on_message(move |peer, _| {
                let (failing, hook_waits) = (failing.clone(), hook_waits.clone());
                async move {
                    peer.spawn(async move {
                        failing.passed().await;
                        Err::<(), _>("broken")
                    });
                    hook_waits.passed().await;
                }
            })
            .on_error(move |_, error| {
                on_error.add(error.to_string());
                async { crossws_core::OnError::default() }
            })
            .on_close(move |_, _| {
                on_close.add("close");
                async {}
            }),
    );
    let (mut session, wire) = open(&hub, &hooks, "/");
    let mut hook = Hand::new(session.message("go".into()));
    hook.pending();
    gate.open();
    hook.pending();
    wait.open();
    hook.done();
    drop(hook);
    // The client leaves before the adapter asked for failures.
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["the task hook failed: broken", "close"]);
    assert_eq!(wire.take(), [], "there is no peer to close");
}

#[test]
fn their_destructors_may_use_the_peer() {
    struct Farewell(crossws_core::Peer);
    impl Drop for Farewell {
        fn drop(&mut self) {
            let peer = self.0.clone();
            peer.publish("room", "farewell").unwrap();
            self.0.spawn(async move { drop(peer) });
            self.0.unsubscribe("room");
            self.0.terminate();
        }
    }
    let hub = Hub::default();
    let (other, wire) = open(&hub, &Arc::new(hooks()), "/");
    other.peer().subscribe("room").unwrap();
    let (mut session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    session.peer().subscribe("room").unwrap();
    for polled in [true, false] {
        let farewell = Farewell(session.peer().clone());
        session.peer().spawn(async move {
            let _farewell = farewell;
            std::future::pending::<()>().await;
        });
        if polled {
            assert_eq!(turn(&mut session), None);
        }
    }
    drop(session);
    assert_eq!(wire.texts(), ["farewell", "farewell"]);
    drop(other);
    assert_empty(&hub);
}

#[test]
fn a_finished_session_keeps_no_waker() {
    let hub = Hub::default();
    let (mut session, _wire) = open(&hub, &Arc::new(hooks()), "/");
    let peer = session.peer().clone();
    let task = Arc::new(());
    struct Held(#[allow(dead_code)] Arc<()>);
    impl std::task::Wake for Held {
        fn wake(self: Arc<Self>) {}
    }
    let waker = std::task::Waker::from(Arc::new(Held(Arc::clone(&task))));
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(session.poll_notice(&mut cx).is_pending());
    drop(session);
    drop(waker);
    assert_eq!(
        Arc::strong_count(&task),
        1,
        "a peer kept for long pins no task"
    );
    drop(peer);
}
