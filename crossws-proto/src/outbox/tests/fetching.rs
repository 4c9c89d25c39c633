//! What waits counts at every moment, also while one thread fetches or writes it and others publish.

use crossws_core::adapter::QueueSize;

use super::*;

/// Creates a hub with these bounds, half of which is not yet too much.
fn hub() -> Hub {
    Hub::builder()
        .limits(Limits::default().max_buffered(1000))
        .build()
}

/// Returns a subscriber of `t` whose pump is awake, so that it reads the topic's log.
fn subscriber(hub: &Hub) -> Subject {
    let subject = join(hub);
    subject.peer.send("x").unwrap();
    take(&subject.outbox);
    subject.outbox.stay_awake();
    subject.peer.subscribe("t").unwrap();
    subject
}

fn publish(hub: &Hub, count: usize) {
    for _ in 0..count {
        hub.in_namespace("/").publish("t", vec![0; 98]).unwrap();
    }
}

#[test]
fn what_is_being_fetched_and_what_is_published_meanwhile_count() {
    stop_clock_at(1);
    let hub = hub();
    let Subject { peer, outbox, .. } = &subscriber(&hub);
    publish(&hub, 3);
    peer.send(vec![0; 98]).unwrap();
    let mut batch = Batch::default();
    let mut state = outbox.state.lock();
    let fetch = state.queue.take(&mut batch, usize::MAX).unwrap();
    state.set_taken(batch.size() + fetch.sent());
    assert_eq!(state.waiting(), QueueSize::new(400, 4));
    drop(state);
    publish(&hub, 2);
    assert_eq!(outbox.state.lock().waiting(), QueueSize::new(600, 6));
    assert!(peer.is_behind(), "publishers wait for who fetches");

    let fetched = fetch.into_batch(&mut batch);
    assert_eq!((batch.bytes(), batch.frames()), (400, 4));
    let mut state = outbox.state.lock();
    state.queue.fetched(&fetched);
    outbox.hold(&mut state, &batch);
    assert_eq!(
        state.waiting(),
        QueueSize::new(600, 6),
        "nothing counts twice"
    );
    drop(state);
    outbox.written(&Batch::default());
    assert_eq!(outbox.state.lock().waiting(), QueueSize::new(200, 2));
    assert!(!peer.is_behind());
    assert_eq!(take(outbox).0.len(), 2);
    assert_eq!(outbox.state.lock().waiting(), QueueSize::new(0, 0));
}

#[test]
fn a_topic_that_is_left_during_a_fetch_counts_only_what_waits() {
    let hub = hub();
    let Subject { peer, outbox, .. } = &subscriber(&hub);
    publish(&hub, 2);
    let mut batch = Batch::default();
    let fetch = outbox
        .state
        .lock()
        .queue
        .take(&mut batch, usize::MAX)
        .unwrap();
    publish(&hub, 1);
    let fetched = fetch.into_batch(&mut batch);
    assert!(peer.unsubscribe("t"));
    publish(&hub, 5);
    let mut state = outbox.state.lock();
    state.queue.fetched(&fetched);
    assert_eq!(state.queue.news().bytes, 100);
    drop(state);
    assert_eq!(take(outbox).0.len(), 1);
}

#[test]
fn a_connection_that_ends_during_a_fetch_fetches_nothing() {
    let hub = hub();
    let Subject { outbox, .. } = &subscriber(&hub);
    publish(&hub, 2);
    let mut batch = Batch::default();
    let fetch = outbox
        .state
        .lock()
        .queue
        .take(&mut batch, usize::MAX)
        .unwrap();
    outbox.end();
    let fetched = fetch.into_batch(&mut batch);
    let mut state = outbox.state.lock();
    state.queue.fetched(&fetched);
    assert!(batch.is_empty() && state.queue.is_empty());
    drop(state);
    assert_eq!(outbox.dropped(), 2);
}

#[test]
fn a_queue_that_another_thread_is_writing_is_behind_before_a_write_has_to_wait() {
    stop_clock_at(1);
    let hub = hub();
    let Subject { peer, outbox, .. } = &subscriber(&hub);
    publish(&hub, 6);
    let settled = outbox.settle(|_| None);
    assert!(settled.behind && !settled.closed && peer.is_behind());
    // Written by this thread, it is not.
    let settled = outbox.settle(|_| {
        take(outbox);
        Some(true)
    });
    assert!(!settled.behind && !peer.is_behind());
}

#[test]
fn a_sender_lists_a_client_that_is_behind_by_many_small_messages() {
    stop_clock_at(1);
    let hub = Hub::default();
    let (subject, other) = (join(&hub), join(&hub));
    let waits = || {
        let events = other.joined.as_ref().unwrap().lifeline();
        events.must_wait(true)
    };
    for _ in 0..2048 {
        subject.peer.send("").unwrap();
    }
    assert!(!waits());
    subject.peer.send("").unwrap();
    assert!(waits());
    take(&subject.outbox);
    assert!(!waits());
}
