//! Connections without sockets, as pairs.

use std::time::Duration;

use crossws_core::{CloseCode, Closed, ClosedBy, Limits, Message, Overflow};

use super::phase::{Change, Phase};
use super::{Step, Transmit};
use crate::frame::{ClientFrame, Opcode, Violation};
use crate::testing::{Cut, End, Pair};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_ping_is_answered_and_a_message_is_a_step() {
    let mut pair = Pair::new(Limits::default());
    let ping = End::<ClientFrame>::frame(Opcode::Ping, b"are you there?");
    pair.server.receive(Duration::ZERO, &ping);
    pair.client.send("hello");
    pair.run();
    assert!(
        matches!(&pair.server.steps[..], [Step::Ping(_), Step::Message(text)] if *text == Message::from("hello"))
    );
    assert!(matches!(&pair.client.steps[..], [Step::Pong(data)] if data == "are you there?"));
    assert_eq!(pair.server.last, Transmit::Flush);
}

/// As on an event stream: see `adapters/sse/tests/transport/requests.rs`.
#[test]
fn two_of_the_largest_messages_or_some_small_ones_wait_for_a_busy_hook() {
    for (lens, waiting) in [
        (&[1000, 1000, 1][..], 2),
        (&[1000, 900, 100], 2),
        (&[500, 500, 1000, 1], 3),
        (&[501, 500, 1], 2),
        (&[1, 1, 1, 1, 1], 4),
    ] {
        let limits = Limits::default().max_message_size(1000).max_inbound(4);
        let mut pair = Pair::with(limits, Limits::default());
        pair.server.busy = true;
        for len in lens {
            pair.client.send(vec![7; *len]);
        }
        pair.run();
        assert_eq!(
            pair.server.connection().inbound.len().0,
            waiting,
            "{lens:?}"
        );
        pair.server.busy = false;
        pair.run();
        assert_eq!(pair.server.messages().len(), lens.len());
    }
}

#[test]
fn a_close_frame_gets_its_reply_and_then_both_sides_end() {
    for by in [ClosedBy::Client, ClosedBy::Server] {
        let mut pair = Pair::new(Limits::default());
        match by {
            ClosedBy::Client => pair.client.close(CloseCode::AWAY),
            _ => pair.server.close(CloseCode::AWAY),
        }
        pair.run();
        assert!(pair.is_over());
        for closed in [pair.server.closed(), pair.client.closed()] {
            assert_eq!((closed.by, closed.clean), (by, true));
            assert_eq!(closed.code, CloseCode::AWAY.get());
        }
        assert!(matches!(pair.server.steps[..], [Step::Closed]));
        assert!(matches!(pair.client.steps[..], [Step::Closed]));
    }
}

#[test]
fn a_close_without_an_answer_ends_at_its_deadline() {
    let mut pair = Pair::new(Limits::default().close_timeout(secs(3)));
    pair.server.incoming.passes = 0;
    pair.server.incoming.cut = Cut::Silence;
    pair.server.close(CloseCode::AWAY);
    pair.run();
    assert_eq!(pair.client.closed().code, CloseCode::AWAY.get());
    assert!(pair.server.connection().wants_read());
    pair.run_to_end();
    assert_eq!(pair.now(), secs(3));
    let closed = pair.server.closed();
    assert_eq!((closed.by, closed.clean), (ClosedBy::Server, false));
    // The stream is dropped once.
    assert_eq!(pair.server.last, Transmit::Nothing);
}

#[test]
fn a_deadline_that_is_found_late_is_judged_after_what_has_arrived() {
    let patient = Limits::default().ping_interval(None).idle_timeout(None);
    let millis = Duration::from_millis;
    // How long the process is stopped after a ping, whose pong must come in 20 s, and how long the runtime takes to
    // see the pong then.
    for (stopped, seen_after, is_in_time) in [
        (secs(600), millis(900), true),
        (secs(600), millis(1_100), false),
        (millis(20_300), millis(200), true),
        (millis(20_300), millis(400), false),
    ] {
        let mut pair = Pair::with(Limits::default(), patient.clone());
        pair.server.incoming.delay = stopped + seen_after;
        while pair.client.steps.is_empty() {
            pair.advance(millis(1));
        }
        assert!(matches!(pair.client.steps[..], [Step::Ping(_)]));
        pair.stop(stopped);
        assert!(pair.server.connection().is_open());
        pair.advance(secs(2));
        let is_open = pair.server.connection().is_open();
        assert_eq!(is_open, is_in_time, "{stopped:?} {seen_after:?}");
        // The next silence has no excuse.
        pair.advance(secs(60));
        assert_eq!(pair.server.closed().by, ClosedBy::Timeout);
    }
}

#[test]
fn a_broken_rule_ends_with_its_code_and_an_error() {
    let mut pair = Pair::new(Limits::default());
    // A client's frame that is not masked.
    pair.server.receive(Duration::ZERO, b"\x81\x01x");
    pair.run();
    assert!(matches!(
        pair.server.steps[..],
        [Step::Failed(_), Step::Closed]
    ));
    assert_eq!(pair.client.closed().code, CloseCode::PROTOCOL.get());
    assert!(!pair.server.connection().wants_read());
}

#[test]
fn a_client_that_takes_nothing_is_closed_as_slow_between_two_frames() {
    let mut pair = Pair::new(Limits::default().max_queued(2).overflow(Overflow::Close));
    pair.client.incoming.room = 4;
    pair.client.incoming.delay = secs(1);
    // Both are taken out of the queue, and a part of the first is written.
    pair.server.send("begun");
    pair.server.send("taken");
    pair.run();
    for text in ["1", "2", "3"] {
        pair.server.send(text);
    }
    pair.client.incoming.room = usize::MAX;
    pair.advance(secs(2));
    assert_eq!(pair.client.messages(), [&Message::from("begun")]);
    assert_eq!(pair.client.closed().code, CloseCode::TRY_AGAIN.get());
}

#[test]
fn a_silent_client_is_pinged_then_dropped() {
    let mut pair = Pair::new(Limits::default());
    pair.server.incoming.passes = 0;
    pair.server.incoming.cut = Cut::Silence;
    pair.run_to_end();
    assert!(matches!(pair.client.steps[0], Step::Ping(_)));
    assert_eq!(pair.client.closed().code, CloseCode::TIMEOUT.get());
    assert_eq!(pair.server.closed().by, ClosedBy::Timeout);
}

#[test]
fn a_connection_closes_at_the_end_of_its_lifetime() {
    let mut pair = Pair::with(
        Limits::default().max_lifetime(secs(10)),
        Limits::default().max_lifetime(None),
    );
    pair.run_to_end();
    // Lifetimes are spread by a tenth.
    assert!((secs(9)..=secs(11)).contains(&pair.now()));
    let closed = pair.client.closed();
    assert_eq!((closed.by, closed.clean), (ClosedBy::Server, true));
    assert_eq!(closed.code, CloseCode::RESTART.get());
}

#[test]
fn the_first_record_of_an_end_counts_and_nothing_follows_the_last() {
    let ended = |by| Change::Ended {
        closed: Closed::lost(by),
        deadline: secs(1),
        settled: false,
    };
    let mut phase = Phase::Open;
    assert!(phase.transition(Change::ClosedHere(CloseCode::AWAY.into(), secs(1))));
    let violation = Violation::protocol("too late");
    assert!(!phase.transition(Change::Broke(violation, secs(1))));
    assert!(matches!(phase, Phase::Closing(_)));
    assert!(!phase.transition(ended(ClosedBy::Timeout)));
    assert!(!phase.transition(ended(ClosedBy::Server)));
    assert!(!phase.transition(Change::Shut(secs(2), 0)));
    assert!(!phase.transition(ended(ClosedBy::Server)));
    assert!(matches!(phase, Phase::Lingering { .. }));
    for abort in [false, true] {
        let closed = Closed::lost(ClosedBy::Network);
        assert!(!phase.transition(Change::Gone { closed, abort }));
    }
    assert!(matches!(phase, Phase::Over { abort: false, .. }));
    assert_eq!(
        phase.closed().map(|closed| closed.by),
        Some(ClosedBy::Timeout)
    );
}
