//! What waits is counted once, and judged by the bounds.

use super::*;

#[test]
fn a_reader_that_lags_too_far_is_closed_and_the_others_are_not() {
    let limits = Limits::default().max_queued(10);
    let hub = Hub::builder().limits(limits).build();
    let (slow, quick) = (join(&hub), join(&hub));
    for subject in [&slow, &quick] {
        subject.peer.subscribe("t").unwrap();
    }
    let mut dropped = 0;
    for n in 0..11u8 {
        let published = hub.in_namespace("/").publish("t", vec![n]).unwrap();
        dropped += published.dropped;
        assert_eq!(published.queued, if n == 10 { 1 } else { 2 });
        assert_eq!(take(&quick.outbox).0, [frame(&[n])]);
    }
    assert_eq!((dropped, slow.peer.dropped()), (11, 11));
    let (frames, taken) = take(&slow.outbox);
    assert!(taken.overflowed && taken.close.is_some());
    assert_eq!(frames.len(), 1, "nothing but the close frame");
    let later = hub.in_namespace("/").publish("t", "later").unwrap();
    assert_eq!((later.queued, later.dropped), (1, 0));
}

#[test]
fn what_waits_in_a_log_counts_for_what_is_sent() {
    let limits = Limits::default().max_queued(4);
    let hub = Hub::builder().limits(limits).build();
    let (subject, other) = (join(&hub), join(&hub));
    subject.peer.subscribe("t").unwrap();
    other.peer.subscribe("t").unwrap();
    for text in ["1", "2", "3"] {
        hub.in_namespace("/").publish("t", text).unwrap();
    }
    // Its own publications are in the log, and not for it: they do not count.
    for _ in 0..100 {
        take(&other.outbox);
        subject.peer.publish("t", "own").unwrap();
    }
    subject.peer.send("4").unwrap();
    let refused = subject.peer.send("5").unwrap_err();
    assert!(matches!(refused, crossws_core::SendError::Full(_)));
    assert!(take(&subject.outbox).1.overflowed);
}

#[test]
fn a_message_of_any_size_fits_where_nothing_waits() {
    let limits = Limits::default().max_buffered(10);
    let hub = Hub::builder().limits(limits).build();
    let subject = join(&hub);
    subject.peer.subscribe("t").unwrap();
    let large = vec![1; 100];
    assert_eq!(
        hub.in_namespace("/")
            .publish("t", large.clone())
            .unwrap()
            .queued,
        1
    );
    assert_eq!(take(&subject.outbox).0, [frame(&large)]);
    hub.in_namespace("/").publish("t", large.clone()).unwrap();
    assert_eq!(hub.in_namespace("/").publish("t", "x").unwrap().dropped, 2);
    assert!(take(&subject.outbox).1.overflowed);
}

#[test]
fn a_member_that_is_closing_costs_the_others_nothing() {
    let hub = Hub::builder()
        .limits(Limits::default().max_queued(2))
        .build();
    let (dying, other) = (join(&hub), join(&hub));
    for subject in [&dying, &other] {
        subject.peer.subscribe("t").unwrap();
    }
    // Its pump has not run since, so that it is still a member.
    while dying.peer.send("x").is_ok() {}
    for n in 0..2u8 {
        let told = hub.in_namespace("/").publish("t", vec![n]).unwrap();
        assert_eq!(told.queued, 1);
    }
    assert_eq!(take(&other.outbox).0, [frame(&[0]), frame(&[1])]);
}

#[test]
fn an_author_that_is_closing_is_not_counted_twice() {
    let hub = Hub::builder()
        .limits(Limits::default().max_queued(2))
        .build();
    let (author, slow) = (join(&hub), join(&hub));
    for subject in [&author, &slow] {
        subject.peer.subscribe("t").unwrap();
    }
    hub.in_namespace("/").publish("t", "1").unwrap();
    while author.peer.send("x").is_ok() {}
    assert_eq!(author.peer.publish("t", "2").unwrap().queued, 1);
    let told = author.peer.publish("t", "3").unwrap();
    assert_eq!(
        (told.queued, told.dropped),
        (0, 3),
        "two bounds were reached at once"
    );
}

#[test]
fn what_was_there_for_a_leaver_is_still_its_own() {
    let hub = Hub::default();
    let (leaver, stays) = (join(&hub), join(&hub));
    for subject in [&leaver, &stays] {
        subject.peer.subscribe("t").unwrap();
    }
    let publish = |n: u8| hub.in_namespace("/").publish("t", vec![n]).unwrap().queued;
    assert_eq!((publish(0), publish(1)), (2, 2));
    assert!(leaver.peer.unsubscribe("t"));
    assert_eq!(publish(2), 1);
    assert!(leaver.peer.subscribe("t").unwrap());
    assert_eq!(publish(3), 2);
    assert_eq!(leaver.peer.buffered_amount(), 9);
    assert_eq!(
        take(&leaver.outbox).0,
        [frame(&[0]), frame(&[1]), frame(&[3])]
    );
    assert_eq!(take(&stays.outbox).0.len(), 4);
}

#[test]
fn a_connection_that_is_over_lets_go_of_what_it_has_not_read() {
    let hub = Hub::default();
    let subject = join(&hub);
    subject.peer.subscribe("t").unwrap();
    for _ in 0..3 {
        hub.in_namespace("/").publish("t", "x").unwrap();
    }
    subject.outbox.end();
    assert_eq!(
        (subject.peer.dropped(), subject.peer.buffered_amount()),
        (3, 0)
    );
    assert_eq!(hub.in_namespace("/").publish("t", "x").unwrap().queued, 0);
}

#[test]
fn a_queue_that_is_too_old_is_closed_and_all_that_waits_is_lost_once() {
    let hub = Hub::default();
    let subject = join(&hub);
    subject.peer.subscribe("t").unwrap();
    subject.peer.send("sent").unwrap();
    for _ in 0..3 {
        hub.in_namespace("/").publish("t", "x").unwrap();
    }
    subject.outbox.must_wait();
    for _ in 0..2 {
        subject.outbox.too_old();
        assert_eq!(subject.peer.dropped(), 4);
    }
    assert_eq!(subject.outbox.take_lost().overflow, 4);
    let close = subject.outbox.unsent_close().unwrap();
    assert_eq!(close.code(), CloseCode::TRY_AGAIN);
    // And the topic keeps nothing for it.
    assert_eq!(subject.peer.buffered_amount(), 0);
    subject.outbox.end();
    assert_eq!(subject.peer.dropped(), 4);
}

#[test]
fn a_client_that_publishes_and_does_not_read_is_made_to_read() {
    let limits = Limits::default().max_queued(10);
    let hub = Hub::builder().limits(limits).build();
    let (subject, other) = (join(&hub), join(&hub));
    for one in [&subject, &other] {
        one.peer.subscribe("t").unwrap();
    }
    hub.in_namespace("/").publish("t", "x").unwrap();
    for _ in 0..10 {
        subject.peer.publish("t", "own").unwrap();
        take(&other.outbox);
    }
    assert!(subject.outbox.is_congested(1));
    take(&subject.outbox);
    assert!(!subject.outbox.is_congested(1));
}
