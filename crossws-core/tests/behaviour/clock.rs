//! A wall clock that is set while connections are open.

use std::time::{Duration, SystemTime};

use crossws_core::adapter::{PeerEvents, Session};
use crossws_core::{CloseCode, Expiry, Hooks, Hub, hooks};
use futures_lite::future::block_on;

use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn later(seconds: u32) -> SystemTime {
    wall_clock() + SECOND * seconds
}

fn opened() -> (Session<impl Hooks>, PeerEvents, Wire, Log) {
    let log = Log::default();
    let heard = log.clone();
    let hooks = hooks().on_timer(move |_, name| {
        heard.add(name);
        async {}
    });
    let (joined, wire) = join(&Hub::default(), &std::sync::Arc::new(hooks), "/");
    let events = joined.lifeline();
    (block_on(joined.open()), events, wire, log)
}

#[test]
fn a_clock_that_is_set_moves_no_sleep_no_interval_and_no_timer() {
    let (mut session, events, wire, log) = opened();
    let peer = session.peer().clone();
    let mut short = Hand::new(peer.sleep(SECOND * 10));
    let mut long = Hand::new(peer.sleep(SECOND * 60));
    let mut ticks = peer.interval(SECOND * 50);
    let mut tick = Hand::new(ticks.tick());
    peer.set_timer("timer", SECOND * 40).unwrap();
    assert!(short.poll().is_none() && long.poll().is_none() && tick.poll().is_none());
    wire.set_clock(HOUR);
    assert!(!events.expired(later(10)), "the timer is not due");
    assert!(short.poll().is_some());
    assert!(long.poll().is_none() && tick.poll().is_none());
    assert_eq!(events.expires_at(), Some(later(40)));
    // What begins now takes its time as well.
    peer.set_timer("after", SECOND * 20).unwrap();
    assert_eq!(events.expires_at(), Some(later(20)));
    assert!(events.expired(later(40)));
    turn(&mut session);
    assert_eq!(log.take(), ["after", "timer"]);
    assert!(tick.poll().is_none());
    events.expired(later(50));
    assert_eq!(tick.poll(), Some(true));
}

#[test]
fn credentials_end_at_their_time_of_a_clock_that_was_set_before() {
    let (session, events, wire, _log) = opened();
    let peer = session.peer();
    // In both directions: the clock was an hour late before.
    for (set, back) in [(HOUR, Duration::ZERO), (Duration::ZERO, HOUR)] {
        wire.set_clock(set);
        let token = later(60) + set;
        peer.set_expiry(token).unwrap();
        assert_eq!(events.expires_at(), Some(later(60)));
        assert_eq!(peer.expires_at(), Some(token));
        peer.set_expiry(SECOND * 90).unwrap();
        assert_eq!(events.expires_at(), Some(later(90)));
        wire.set_clock(back);
        assert_eq!(
            peer.expires_at(),
            Some(later(90) + back),
            "the time that is left"
        );
    }
    events.expired(later(89));
    assert_eq!(wire.closes(), [0; 0]);
    events.expired(later(90));
    assert_eq!(wire.closes(), [CloseCode::CREDENTIALS_EXPIRED.get()]);
}

#[test]
fn a_token_that_has_ended_by_a_clock_that_was_set_admits_no_peer() {
    let token = Expiry::At(later(60));
    let hooks =
        hooks().on_upgrade(move |_| async move { Ok(crossws_core::Upgrade::new().expires(token)) });
    let hooks = std::sync::Arc::new(hooks);
    let wire = Wire::default();
    wire.set_clock(HOUR);
    let joined = accept(&Hub::default(), &hooks, "/").join(wire.transport());
    assert_eq!(joined.unwrap_err().code(), CloseCode::CREDENTIALS_EXPIRED);
}
