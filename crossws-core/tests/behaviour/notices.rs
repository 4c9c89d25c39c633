//! Hooks without a frame of the client: the start, subscriptions, discarded messages, timers.

use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::Start;
use crossws_core::{
    CloseCode, Closed, DropCause, Dropped, Error, ErrorKind, HookKind, Hooks, HooksBuilder, Hub,
    OnError, Overflow, TimerError, hooks,
};
use futures_lite::future::block_on;

use crate::common::*;

/// Logs these hooks, and the close.
fn listener(log: &Log) -> HooksBuilder {
    let (subscriptions, drops, timers) = (log.clone(), log.clone(), log.clone());
    let closes = log.clone();
    hooks()
        .on_subscription(move |peer, event| {
            let sign = if event.joined { '+' } else { '-' };
            let (topic, count) = (&event.topic, event.subscribers);
            subscriptions.add(format!("{sign}{topic} {count} {:?}", peer.state()));
            async {}
        })
        .on_dropped(move |_, dropped| {
            drops.add(format!("dropped {} {:?}", dropped.messages, dropped.cause));
            async {}
        })
        .on_timer(move |_, name| {
            timers.add(format!("timer {name}"));
            async {}
        })
        .on_close(move |_, _| {
            closes.add("close");
            async {}
        })
}

#[test]
fn the_subscription_hook_gets_the_number_of_subscribers_at_its_beginning() {
    let (hub, log) = (Hub::default(), Log::default());
    let app = Arc::new(listener(&log));
    let (mut ann, _wire) = open(&hub, &app, "/");
    let (bob, _wire) = open(&hub, &app, "/");
    ann.peer().subscribe("t").unwrap();
    assert!(!ann.peer().subscribe("t").unwrap());
    assert_eq!(log.take(), [""; 0], "no hook runs inside another's call");
    turn(&mut ann);
    assert_eq!(log.take(), ["+t 1 Open"]);
    ann.peer().subscribe("u").unwrap();
    ann.peer().unsubscribe("t");
    assert!(!ann.peer().unsubscribe("t"));
    bob.peer().subscribe("u").unwrap();
    turn(&mut ann);
    assert_eq!(log.take(), ["+u 2 Open", "-t 0 Open"]);
}

#[test]
fn subscription_hooks_for_an_ending_peers_topics_run_before_close() {
    let (hub, log) = (Hub::default(), Log::default());
    let app = Arc::new(listener(&log));
    let (mut ann, _wire) = open(&hub, &app, "/");
    for topic in ["a", "b"] {
        ann.peer().subscribe(topic).unwrap();
    }
    turn(&mut ann);
    log.take();
    block_on(ann.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["-a 0 Closing", "-b 0 Closing", "close"]);

    // The hook runs for a closed peer's last subscriptions too, in order.
    let (ann, _wire) = open(&hub, &app, "/");
    ann.peer().subscribe("a").unwrap();
    ann.peer().close(CloseCode::NORMAL, "");
    block_on(ann.close(Closed::by_client(None)));
    assert_eq!(log.take(), ["+a 0 Closing", "-a 0 Closing", "close"]);
    assert_empty(&hub);
}

#[test]
fn what_is_dropped_meanwhile_is_added_up_by_its_cause() {
    let (hub, log) = (Hub::default(), Log::default());
    let (joined, _wire) = join(&hub, &Arc::new(listener(&log)), "/");
    let lifeline = joined.lifeline();
    let mut session = block_on(joined.open());
    let oldest = DropCause::Overflow(Overflow::DropOldest);
    let newest = DropCause::Overflow(Overflow::DropNewest);
    for _ in 0..3 {
        lifeline.dropped(Dropped::new(2, oldest));
    }
    lifeline.dropped(Dropped::new(1, newest));
    turn(&mut session);
    let expected = [
        "dropped 6 Overflow(DropOldest)",
        "dropped 1 Overflow(DropNewest)",
    ];
    assert_eq!(log.take(), expected);
    lifeline.dropped(Dropped::new(1, newest));
    time_up(&session, &lifeline, "typing");
    turn(&mut session);
    assert_eq!(
        log.take(),
        ["dropped 1 Overflow(DropNewest)", "timer typing"]
    );
    let peer = session.peer().clone();
    drop(session);
    // The connection is over: nothing is kept, and no hook runs.
    assert_eq!(
        peer.set_timer("late", Duration::ZERO),
        Err(TimerError::Closed)
    );
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn a_hook_that_is_due_wakes_the_session() {
    let (hub, log) = (Hub::default(), Log::default());
    let (mut session, _wire) = open(&hub, &Arc::new(listener(&log)), "/");
    let peer = session.peer().clone();
    let mut idle = Hand::new(poll_tasks(&mut session));
    idle.pending();
    peer.subscribe("t").unwrap();
    assert!(idle.done().failure().is_none());
}

#[test]
fn what_fails_there_reaches_error() {
    let log = Log::default();
    let errors = log.clone();
    let app = hooks()
        .on_timer(|_, name| async move { Err::<(), _>(name) })
        .on_error(move |_, error: Error| {
            errors.add(format!("{:?} {error}", error.kind()));
            async { OnError::Keep }
        });
    let (joined, wire) = join(&Hub::default(), &Arc::new(app), "/");
    let lifeline = joined.lifeline();
    let mut session = block_on(joined.open());
    time_up(&session, &lifeline, "typing");
    turn(&mut session);
    assert_eq!(log.take(), ["Hook(Timer) the timer hook failed: typing"]);
    assert_eq!(wire.closes(), [0; 0]);
}

#[test]
fn a_start_that_fails_refuses_who_waits_for_it() {
    let hub = Hub::default();
    let waits = Start::default();
    let mut waiter = Hand::new(waits.ready());
    waiter.pending();
    let broken = Arc::new(hooks().on_start(|_| async { Err::<(), _>("no database") }));
    let error = block_on(waits.run(&broken, &hub)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Hook(HookKind::Start));
    assert_eq!(waiter.done().unwrap_err().status(), 503);
    assert_eq!(block_on(waits.ready()).unwrap_err().status(), 503);

    struct Panics;
    impl Hooks for Panics {
        async fn start(&self, _: &Hub) -> crossws_core::HookResult {
            panic!("a bug");
        }
    }
    let error = block_on(Start::default().run(&Arc::new(Panics), &hub)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic(HookKind::Start));

    let waits = Start::default();
    let mut waiter = Hand::new(waits.ready());
    waiter.pending();
    block_on(waits.run(&Arc::new(hooks()), &hub)).unwrap();
    assert!(waiter.done().is_ok());
}
