//! Topics that a peer has left, and settling.

use super::*;

#[test]
fn what_topics_keep_is_judged_when_they_are_left() {
    let limits = Limits::default().max_buffered(1 << 20);
    let hub = Hub::builder().limits(limits).build();
    let subject = join(&hub);
    subject.peer.send("x").unwrap();
    subject.outbox.must_wait();
    let others: Vec<_> = (0..40)
        .map(|n| {
            let topic = &n.to_string();
            let publish = |len| hub.in_namespace("/").publish(topic, vec![0; len]).unwrap();
            let other = join(&hub);
            other.peer.send("x").unwrap();
            other.peer.subscribe(topic).unwrap();
            publish(60_000);
            subject.peer.subscribe(topic).unwrap();
            publish(1);
            other
        })
        .collect();
    for n in 0..others.len() {
        assert_eq!(subject.peer.dropped(), 0, "closed with {n} topics left");
        subject.peer.unsubscribe(n.to_string());
        if subject.peer.dropped() > 0 {
            assert!(n >= 15, "closed with {n} topics left");
            return;
        }
    }
    panic!("no publisher has looked");
}

#[test]
fn what_left_topics_keep_is_judged_as_messages_are_sent() {
    let limits = Limits::default().max_buffered(1 << 20);
    let hub = Hub::builder().limits(limits).build();
    let subject = join(&hub);
    subject.peer.send("x").unwrap();
    subject.outbox.must_wait();
    let _others: Vec<_> = (0..14)
        .map(|n| {
            let topic = &n.to_string();
            let publish = |len| hub.in_namespace("/").publish(topic, vec![0; len]).unwrap();
            let other = join(&hub);
            other.peer.send("x").unwrap();
            other.peer.subscribe(topic).unwrap();
            publish(60_000);
            subject.peer.subscribe(topic).unwrap();
            publish(1);
            subject.peer.unsubscribe(topic);
            other
        })
        .collect();
    // 840 kB are kept in memory, of which 14 messages wait.
    let mut sent = 0;
    while subject.peer.send(vec![0; 10_000]).is_ok() {
        sent += 10_000;
        assert!(sent <= 500_000, "{sent} bytes fitted besides what is kept");
    }
}

#[test]
fn nothing_is_added_to_what_waits_in_a_topic_that_was_left() {
    let limits = Limits::default().max_buffered(1000);
    let hub = Hub::builder().limits(limits).build();
    let (leaver, stays) = (join(&hub), join(&hub));
    for subject in [&leaver, &stays] {
        subject.peer.send("x").unwrap();
        subject.peer.subscribe("t").unwrap();
    }
    let publish = |len| hub.in_namespace("/").publish("t", vec![0; len]).unwrap();
    publish(10);
    leaver.peer.unsubscribe("t");
    for _ in 0..8 {
        publish(90);
        take(&stays.outbox);
    }
    assert!(
        !leaver.outbox.is_congested(10),
        "its own messages would wait"
    );
    assert_eq!(take(&leaver.outbox).0.len(), 2);
}

#[test]
fn a_publisher_learns_that_another_thread_closed_the_queue() {
    let limits = Limits::default().max_queued(2);
    let hub = Hub::builder().limits(limits).build();
    let subject = join(&hub);
    while subject.peer.send("x").is_ok() {}
    let settled = subject.outbox.settle(|_| Some(false));
    assert!(settled.closed && settled.lost == 0);
}

#[test]
fn a_queue_is_not_judged_before_an_attempt_to_write_it() {
    let limits = Limits::default().max_queued(2);
    let outbox = outbox(&limits);
    for _ in 0..4 {
        outbox.enqueue(1, |batch| batch.push_back(b"x", 1));
    }
    outbox.must_wait();
    assert!(!outbox.settle(|_| None).closed);
    assert!(outbox.settle(|_| Some(false)).closed);
}

#[test]
fn a_subscriber_that_is_behind_is_counted_once() {
    stop_clock_at(1);
    let limits = Limits::default().max_buffered(1000);
    let hub = Hub::builder().limits(limits).build();
    let (subject, other) = (join(&hub), join(&hub));
    let publish = |topic: &str, len| {
        let told = hub.in_namespace("/").publish(topic, vec![0; len]);
        told.unwrap()
    };
    other.peer.subscribe("b").unwrap();
    publish("b", 10);
    publish("b", 10);
    subject.peer.subscribe("a").unwrap();
    for _ in 0..6 {
        publish("a", 100);
    }
    assert!(subject.peer.is_behind());
    subject.peer.subscribe("b").unwrap();
    // How much this peer may still be sent is checked anew.
    other.outbox.must_wait();
    let told = publish("b", 10);
    assert_eq!((told.queued, told.behind), (2, 1));
}

#[test]
fn what_many_topics_hold_is_settled_at_half_of_a_bound() {
    let limits = Limits::default().max_buffered(10_000);
    let hub = Hub::builder().limits(limits).build();
    let subject = join(&hub);
    for n in 0..100 {
        subject.peer.subscribe(n.to_string()).unwrap();
    }
    let mut most = 0;
    for n in 0..100 {
        let topic = n.to_string();
        hub.in_namespace("/").publish(topic, vec![0; 1000]).unwrap();
        most = most.max(subject.peer.buffered_amount());
    }
    // There is no stream, so nothing can be written: it is closed.
    assert!(most <= 10_000, "{most} bytes waited");
}

#[test]
fn what_left_topics_keep_adds_up_with_what_waits_elsewhere() {
    let limits = Limits::default().max_buffered(200_000);
    let hub = Hub::builder().limits(limits).build();
    let subject = join(&hub);
    let publish = |topic: &str, len| {
        let told = hub.in_namespace("/").publish(topic, vec![0; len]);
        told.unwrap()
    };
    subject.peer.send("x").unwrap();
    subject.outbox.must_wait();
    let others = ["a", "b"].map(|topic| {
        let other = join(&hub);
        other.peer.send("x").unwrap();
        other.peer.subscribe(topic).unwrap();
        publish(topic, 60_000);
        subject.peer.subscribe(topic).unwrap();
        publish(topic, 1);
        subject.peer.unsubscribe(topic);
        other
    });
    subject.peer.subscribe("c").unwrap();
    for _ in 0..9 {
        publish("c", 10_000);
    }
    assert_eq!(subject.peer.dropped(), 0, "{}", others.len());
    assert_eq!(publish("c", 10_000).dropped, 13);
}

#[test]
fn what_left_topics_keep_is_judged_although_little_waits_in_them() {
    let limits = Limits::default().max_buffered(1 << 20);
    let hub = Hub::builder().limits(limits).build();
    let subject = join(&hub);
    subject.peer.send("x").unwrap();
    subject.outbox.must_wait();
    for n in 0..40 {
        let topic = &n.to_string();
        let publish = |len| hub.in_namespace("/").publish(topic, vec![0; len]).unwrap();
        let other = join(&hub);
        other.peer.send("x").unwrap();
        other.peer.subscribe(topic).unwrap();
        publish(60_000);
        subject.peer.subscribe(topic).unwrap();
        publish(1);
        subject.peer.unsubscribe(topic);
        if subject.peer.dropped() > 0 {
            assert!(n >= 15, "closed at {n}");
            return;
        }
    }
    panic!("no publisher has looked");
}
