//! Clients that are behind are given time.

use super::*;

/// Fills the outbox to more than half of this bound, while its client takes nothing.
fn fill_and_block(subject: &Subject, bound: usize) -> Batch {
    for _ in 0..6 {
        subject.peer.send(vec![0; bound / 10]).unwrap();
    }
    let mut batch = Batch::default();
    subject.outbox.take(&mut batch);
    subject.outbox.must_wait();
    batch
}

#[test]
fn a_client_that_has_caught_up_is_given_time_again() {
    for bound in [1000, 1_000_000] {
        stop_clock_at(1);
        let limits = Limits::default().max_buffered(bound);
        let hub = Hub::builder().limits(limits).build();
        let subject = join(&hub);
        let mut batch = fill_and_block(&subject, bound);
        assert!(subject.peer.is_behind());
        // Not all in one write: the first leaves more than half of the bound.
        batch.advance(10);
        subject.outbox.written(&batch);
        batch.advance(batch.bytes());
        subject.outbox.written(&batch);
        assert_eq!(subject.peer.buffered_amount(), 0);
        stop_clock_at(351);
        fill_and_block(&subject, bound);
        assert!(subject.peer.is_behind());
    }
}

#[test]
fn a_client_that_takes_a_little_now_and_then_is_not_given_time_again() {
    stop_clock_at(1);
    let limits = Limits::default().max_buffered(1000);
    let hub = Hub::builder().limits(limits).build();
    let subject = join(&hub);
    let mut batch = fill_and_block(&subject, 1000);
    assert!(subject.peer.is_behind());
    // Less than half of the bound is left, but not much was taken.
    batch.advance(200);
    subject.outbox.written(&batch);
    assert!(!subject.peer.is_behind());
    stop_clock_at(351);
    subject.peer.send(vec![0; 300]).unwrap();
    subject.outbox.must_wait();
    assert!(!subject.peer.is_behind());
    batch.advance(100);
    subject.outbox.written(&batch);
    subject.outbox.must_wait();
    assert!(subject.peer.is_behind());
}

#[test]
fn messages_that_may_be_for_a_client_that_is_behind_wait() {
    stop_clock_at(1);
    let limits = Limits::default().max_buffered(1000);
    let hub = Hub::builder().limits(limits).build();
    let subjects: Vec<_> = (0..4).map(|_| join(&hub)).collect();
    let [subject, new, publishes, echoes] = &subjects[..] else {
        panic!("four have joined");
    };
    let waits = |subject: &Subject, first| {
        let events = subject.joined.as_ref().unwrap().lifeline();
        events.must_wait(first)
    };
    publishes.peer.publish("t", "x").unwrap();
    assert!(!waits(new, true) && !waits(publishes, false));
    subject.peer.subscribe("t").unwrap();
    let mut batch = fill_and_block(subject, 1000);
    assert!(!waits(new, true), "a short queue lists no client");
    assert_eq!(publishes.peer.publish("t", "x").unwrap().behind, 1);
    assert!(waits(new, true), "of this nothing is known");
    assert!(waits(publishes, false), "this has published");
    assert!(
        !waits(echoes, false),
        "this has said something, and not published"
    );
    // It catches up.
    batch.advance(batch.bytes());
    subject.outbox.written(&batch);
    assert!(!waits(new, true) && !waits(publishes, false));
}
