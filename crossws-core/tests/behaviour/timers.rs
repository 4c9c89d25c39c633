//! Named timers: when their hooks run, how they are replaced and cleared, and that they outlive a
//! sleep.

use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::{PeerEvents, Session};
use crossws_core::{
    Capabilities, CloseCode, Closed, Hooks, HooksBuilder, Hub, Limits, PersistError, TimerError,
    hooks,
};
use futures_lite::future::block_on;

use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);

fn listener(log: &Log) -> HooksBuilder {
    let (timers, messages) = (log.clone(), log.clone());
    hooks()
        .on_timer(move |_, name| {
            timers.add(name);
            async {}
        })
        .on_message(move |_, message| {
            messages.add(message.to_string());
            async {}
        })
}

fn later(seconds: u32) -> std::time::SystemTime {
    wall_clock() + SECOND * seconds
}

fn opened(limits: Limits) -> (Session<HooksBuilder>, PeerEvents, Log) {
    let (hub, log) = (Hub::builder().limits(limits).build(), Log::default());
    let (session, events) = open_events(&hub, &Arc::new(listener(&log)));
    (session, events, log)
}

fn turn_all<H: Hooks>(session: &mut Session<H>) {
    for _ in 0..8 {
        turn(session);
    }
}

#[test]
fn timer_hooks_run_once_in_the_order_of_their_times() {
    let (mut session, events, log) = opened(Limits::default());
    let peer = session.peer().clone();
    for (name, seconds) in [("c", 3), ("a", 1), ("b", 2)] {
        peer.set_timer(name, SECOND * seconds).unwrap();
    }
    assert_eq!(events.expires_at(), Some(later(1)));
    assert!(!events.expired(wall_clock()), "none is due");
    assert!(events.expired(later(2)));
    assert_eq!(events.expires_at(), Some(later(3)));
    turn_all(&mut session);
    assert_eq!(log.take(), ["a", "b"]);
    assert!(events.expired(later(9)));
    turn_all(&mut session);
    assert_eq!(log.take(), ["c"]);
    assert_eq!(events.expires_at(), None);
}

#[test]
fn a_timer_of_the_same_name_is_replaced_also_when_it_was_due() {
    let (mut session, events, log) = opened(Limits::default());
    let peer = session.peer().clone();
    peer.set_timer("typing", SECOND).unwrap();
    peer.set_timer("typing", SECOND * 3).unwrap();
    assert!(!events.expired(later(2)), "the new time counts");
    assert!(events.expired(later(3)));
    peer.set_timer("typing", SECOND * 5).unwrap();
    turn_all(&mut session);
    assert_eq!(log.take(), [""; 0], "its hook had not begun");
    assert!(events.expired(later(5)));
    turn_all(&mut session);
    assert_eq!(log.take(), ["typing"]);
}

#[test]
fn the_hook_of_a_cleared_timer_does_not_run() {
    let (mut session, events, log) = opened(Limits::default());
    let peer = session.peer().clone();
    assert!(!peer.clear_timer("a"), "there is none");
    peer.set_timer("a", SECOND).unwrap();
    assert!(peer.clear_timer("a"));
    assert_eq!(events.expires_at(), None);
    peer.set_timer("a", SECOND).unwrap();
    assert!(events.expired(later(1)));
    assert!(
        peer.clear_timer("a"),
        "it was due, and its hook had not begun"
    );
    assert!(!peer.clear_timer("a"));
    turn_all(&mut session);
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn the_end_of_the_connection_clears_all() {
    let (session, events, log) = opened(Limits::default());
    let peer = session.peer().clone();
    peer.set_timer("due", SECOND).unwrap();
    peer.set_timer("waits", SECOND * 9).unwrap();
    events.expired(later(1));
    peer.close(CloseCode::NORMAL, "");
    assert_eq!(events.expires_at(), None);
    assert_eq!(peer.set_timer("late", SECOND), Err(TimerError::Closed));
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn timers_are_bounded_in_number_and_name() {
    let (session, _, _log) = opened(Limits::default().max_timers(2).max_name_len(4));
    let peer = session.peer();
    peer.set_timer("a", SECOND).unwrap();
    peer.set_timer("b", SECOND).unwrap();
    assert_eq!(peer.set_timer("c", SECOND), Err(TimerError::TooMany(2)));
    peer.set_timer("b", SECOND * 2).unwrap();
    let long = TimerError::NameTooLong { len: 5, most: 4 };
    assert_eq!(peer.set_timer("aaaaa", SECOND), Err(long));
    assert!(peer.clear_timer("a"));
    peer.set_timer("c", Duration::MAX).unwrap();

    let wire = Wire::without(Capabilities::EXPIRY);
    let joined = accept(&Hub::default(), &Arc::new(hooks()), "/").join(wire.transport());
    let peer = joined.unwrap().peer().clone();
    assert_eq!(peer.set_timer("a", SECOND), Err(TimerError::Unsupported));
}

#[test]
fn a_timer_outlives_a_sleep_and_is_stored_until_its_hook_begins() {
    let log = Log::default();
    let app = Arc::new(listener(&log));
    let wire = Wire::sleepy(1_000);
    let joined = accept(&Hub::default(), &app, "/").join(wire.transport());
    let session = block_on(joined.unwrap().open());
    session.peer().set_timer("kept", SECOND * 2).unwrap();
    session.peer().set_timer("cleared", SECOND).unwrap();
    assert!(session.peer().clear_timer("cleared"));
    let error = session.peer().set_timer("x".repeat(2_000), SECOND);
    assert!(matches!(error, Err(TimerError::NameTooLong { .. })));

    // It falls asleep, and once more when the timer is due and its hook has not begun.
    let mut stored = wire.stored().unwrap();
    for _ in 0..2 {
        let (hub, wire) = (Hub::default(), Wire::sleepy(1_000));
        let seat = hub.restore(&stored, wire.transport()).unwrap();
        let events = seat.lifeline();
        assert_eq!(events.expires_at(), Some(later(2)));
        assert!(events.expired(later(2)));
        assert_eq!(log.take(), [""; 0]);
        stored = wire.stored().unwrap_or(stored);
    }
    let (hub, wire) = (Hub::default(), Wire::sleepy(1_000));
    let seat = hub.restore(&stored, wire.transport()).unwrap();
    assert!(seat.lifeline().expired(later(3)));
    let mut session = block_on(seat.claim(&app)).unwrap().resume();
    turn_all(&mut session);
    assert_eq!(log.take(), ["kept"]);
    let seat = Hub::default().restore(&wire.stored().unwrap(), Wire::sleepy(1_000).transport());
    assert_eq!(seat.unwrap().lifeline().expires_at(), None, "it is over");
}

#[test]
fn a_timer_without_room_is_refused_and_leaves_the_old_one() {
    let wire = Wire::sleepy(600);
    let app = Arc::new(hooks());
    let joined = accept(&Hub::default(), &app, "/").join(wire.transport());
    let session = block_on(joined.unwrap().open());
    let peer = session.peer();
    let mut set = 0;
    let error = loop {
        match peer.set_timer(format!("a timer with a long name {set}"), SECOND) {
            Ok(()) => set += 1,
            Err(error) => break error,
        }
    };
    let TimerError::Persist(PersistError::TooBig { most: 600, .. }) = error else {
        panic!("{error:?}");
    };
    assert!(!peer.clear_timer(format!("a timer with a long name {set}")));
    assert!(peer.clear_timer("a timer with a long name 0"));
    peer.set_timer("a timer with a long name", SECOND).unwrap();
}
