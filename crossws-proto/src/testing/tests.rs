//! What two connections promise each other, whatever lies between them.

use std::time::Duration;

use crossws_core::{CloseCode, ClosedBy, Limits, Message, Overflow};
use proptest::prelude::*;

use super::{Cut, End, Pair, Pipe};
use crate::connection::Step;
use crate::frame::MAX_HEADER;
use crate::outbox::Framing;

/// A pipe that passes everything, but never at once.
fn pipe() -> impl Strategy<Value = Pipe> {
    (20..200_usize, 1..50_usize, 0..300_u64).prop_map(|(room, piece, delay)| {
        let mut pipe = Pipe::default();
        pipe.room = room;
        pipe.piece = piece;
        pipe.delay = Duration::from_millis(delay);
        pipe
    })
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let binary = proptest::collection::vec(any::<u8>(), 0..300).prop_map(Message::from);
    let message = prop_oneof![".{0,20}".prop_map(Message::from), binary];
    proptest::collection::vec(message, 0..10)
}

/// Neither end is busy, slow or silent for long enough to reach a limit.
fn patient() -> Limits {
    Limits::default()
        .max_inbound(2)
        .max_queue_age(None)
        .ping_interval(None)
        .idle_timeout(None)
}

fn assert_prefix<F: Framing>(end: &End<F>, sent: &[Message]) {
    let heard = end.messages();
    assert!(heard.len() <= sent.len());
    assert!(heard.into_iter().eq(&sent[..end.messages().len()]));
}

/// Nothing reaches hooks after the end, which they hear of once.
fn assert_ends_once<F: Framing>(end: &End<F>) {
    let at = end
        .steps
        .iter()
        .position(|step| matches!(step, Step::Closed));
    assert_eq!(at, Some(end.steps.len() - 1), "{:?}", end.steps);
}

proptest! {
    #[test]
    fn every_message_arrives_once_and_in_order_before_the_close(
        up in pipe(), down in pipe(), sent in messages(), replies in messages(), closes in any::<bool>(),
    ) {
        let mut pair = Pair::new(patient());
        (pair.server.incoming, pair.client.incoming) = (up, down);
        for message in &sent {
            pair.client.send(message.clone());
            pair.advance(Duration::from_millis(1));
        }
        for message in &replies {
            pair.server.send(message.clone());
        }
        // The end that closes hears nothing after it: everything must have arrived.
        pair.advance(Duration::from_secs(60));
        let by = match closes {
            true => ClosedBy::Server,
            false => ClosedBy::Client,
        };
        match closes {
            true => pair.server.close(CloseCode::AWAY),
            false => pair.client.close(CloseCode::AWAY),
        }
        pair.run();
        // It may cross the client's close frame, and is heard no more.
        pair.server.send("late");
        pair.run_to_end();
        let heard = pair.client.messages();
        prop_assert!(heard.into_iter().eq(&replies));
        prop_assert!(pair.server.messages().into_iter().eq(&sent));
        assert_ends_once(&pair.server);
        assert_ends_once(&pair.client);
        for closed in [pair.server.closed(), pair.client.closed()] {
            prop_assert_eq!((closed.by, closed.clean), (by, true));
            prop_assert_eq!(closed.code, CloseCode::AWAY.get());
        }
    }

    #[test]
    fn two_closes_that_cross_both_count(up in pipe(), down in pipe()) {
        let mut pair = Pair::new(patient());
        (pair.server.incoming, pair.client.incoming) = (up, down);
        pair.server.close(CloseCode::AWAY);
        pair.client.close(CloseCode::NORMAL);
        pair.run_to_end();
        for closed in [pair.server.closed(), pair.client.closed()] {
            prop_assert!(closed.clean, "{closed:?}");
            prop_assert!(matches!(closed.code, 1000 | 1001));
        }
    }

    #[test]
    fn a_client_that_does_not_read_costs_no_more_than_the_bounds(
        sent in proptest::collection::vec(1..2000_usize, 1..60), room in 0..5000_usize,
    ) {
        const MOST: usize = 10_000;
        let limits = patient().max_buffered(MOST);
        let mut pair = Pair::new(limits);
        pair.client.incoming.room = room;
        pair.client.incoming.delay = Duration::from_secs(1);
        for len in &sent {
            pair.server.send(vec![7; *len]);
            pair.run();
            prop_assert!(pair.server.outbox().buffered() <= MOST + len + MAX_HEADER);
        }
        let all = sent.iter().sum::<usize>();
        if all > MOST + room + sent.len() * MAX_HEADER {
            pair.client.incoming.room = usize::MAX;
            pair.run_to_end();
            prop_assert_eq!(pair.client.closed().code, CloseCode::TRY_AGAIN.get());
        }
    }
}

#[test]
fn steps_wait_for_a_busy_hook_and_the_rest_waits_in_the_pipe() {
    let mut pair = Pair::new(patient());
    pair.server.busy = true;
    pair.server.incoming.piece = 20;
    let sent: Vec<_> = (0..50).map(|n| Message::from(format!("{n:010}"))).collect();
    for message in &sent {
        pair.client.send(message.clone());
    }
    pair.run();
    assert!(pair.server.messages().is_empty() && pair.server.incoming.waiting() > 40 * 16);
    pair.server.busy = false;
    pair.run();
    assert!(pair.server.messages().into_iter().eq(&sent));
}

#[test]
fn what_an_end_sends_counts_with_its_header() {
    let limits = patient().max_buffered(20).overflow(Overflow::DropNewest);
    let mut pair = Pair::new(limits);
    pair.client.incoming.room = 0;
    assert!(pair.server.send("first").queued);
    pair.run();
    assert!(!pair.server.send(vec![7; 12]).queued, "7 and 14 bytes");
    assert!(pair.server.send(vec![7; 11]).queued, "7 and 13 bytes");
}

/// A conversation in both directions, which the server closes.
fn talk(pair: &mut Pair, sent: &[Message]) {
    for message in sent {
        pair.client.send(message.clone());
        pair.server.send(message.clone());
        pair.run();
    }
    pair.server.close(CloseCode::AWAY);
    pair.run_to_end();
}

#[test]
fn a_connection_that_is_cut_at_any_byte_ends_on_both_sides() {
    let sent = ["one", "two", "three"].map(Message::from);
    let limits = || Limits::default().close_timeout(Duration::from_secs(1));
    for cut in [Cut::End, Cut::Reset, Cut::Silence] {
        for up in [false, true] {
            for passes in 0..60 {
                let mut pair = Pair::new(limits());
                let pipe = match up {
                    true => &mut pair.server.incoming,
                    false => &mut pair.client.incoming,
                };
                pipe.passes = passes;
                pipe.cut = cut;
                talk(&mut pair, &sent);
                assert_prefix(&pair.server, &sent);
                assert_prefix(&pair.client, &sent);
                assert_ends_once(&pair.server);
                assert_ends_once(&pair.client);
                let closed = pair.client.closed();
                let code_arrived = closed.code == CloseCode::AWAY.get();
                assert!(code_arrived || !closed.clean, "{closed:?}");
                let closed = pair.server.closed();
                assert!(
                    !closed.clean || code_arrived,
                    "clean to the server alone: {closed:?}"
                );
            }
        }
    }
}
