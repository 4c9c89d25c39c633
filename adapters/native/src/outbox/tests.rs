//! The outbox with a real hub, against a naive model: whatever is sent, published, subscribed and
//! fetched, in whatever order, a peer's frames are those of a plain queue.

// Helpers here unwrap as the tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fetching;

use std::collections::{BTreeSet, VecDeque};
use std::io::IoSlice;

use crossws_core::adapter::OpeningPeer;
use crossws_core::{HooksBuilder, Hub, Limits, Message, Peer, SendError, SendOptions, Sent};
use proptest::prelude::*;

use super::*;
use crossws_proto::frame::put_frame;

const TOPICS: [&str; 3] = ["a", "b", "c"];
const PEERS: usize = 3;

#[derive(Debug, Clone)]
enum Op {
    Send(usize, usize),
    /// A publication by a peer or by the hub, to a topic or to all, with or without its sender, of
    /// this length.
    Publish(Option<usize>, Option<usize>, bool, usize),
    Subscribe(usize, usize),
    Unsubscribe(usize, usize),
    /// Whether the pump looks once more, finds nothing, and sleeps.
    Take(usize, bool),
    Leave(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let peer = || 0..PEERS;
    let topic = || 0..TOPICS.len();
    // Mostly small, some shared, some longer than a chunk of the log.
    let len = || prop_oneof![8 => 4usize..40, 2 => 2000usize..3000, 1 => 60_000usize..80_000];
    let maybe = |most: usize| proptest::option::weighted(0.8, 0..most);
    prop_oneof![
        3 => (peer(), len()).prop_map(|(peer, len)| Op::Send(peer, len)),
        6 => (maybe(PEERS), maybe(TOPICS.len()), any::<bool>(), len())
            .prop_map(|(by, topic, own, len)| Op::Publish(by, topic, own, len)),
        3 => (peer(), topic()).prop_map(|(peer, topic)| Op::Subscribe(peer, topic)),
        1 => (peer(), topic()).prop_map(|(peer, topic)| Op::Unsubscribe(peer, topic)),
        4 => (peer(), any::<bool>()).prop_map(|(peer, sleeps)| Op::Take(peer, sleeps)),
        1 => peer().prop_map(Op::Leave),
    ]
}

struct Subject {
    joined: Option<OpeningPeer<HooksBuilder>>,
    peer: Peer,
    outbox: Arc<Outbox>,
    /// What a plain queue would hold.
    expected: VecDeque<Vec<u8>>,
    topics: BTreeSet<usize>,
}

fn join(hub: &Hub) -> Subject {
    let (joined, outbox) = joined::join(hub);
    Subject {
        peer: joined.peer().clone(),
        joined: Some(joined),
        outbox,
        expected: VecDeque::new(),
        topics: BTreeSet::new(),
    }
}

/// Returns the frames that the pump takes, each whole.
fn take(outbox: &Outbox) -> (Vec<Vec<u8>>, Taken) {
    let mut batch = Batch::default();
    let taken = outbox.take(&mut batch);
    let (all, count) = (batch.bytes(), batch.frames());
    let mut bytes = Vec::new();
    while !batch.is_empty() {
        let mut slices = [IoSlice::new(&[])];
        batch.slices(&mut slices);
        let len = slices[0].len();
        assert!(len > 0, "a write of nothing would end the connection");
        bytes.extend_from_slice(&slices[0]);
        batch.advance(len);
    }
    outbox.written(&batch);
    assert_eq!(bytes.len(), all);
    let mut frames = Vec::new();
    let mut rest = &bytes[..];
    while let Some(len) = crossws_proto::frame::frame_len(rest) {
        let (frame, others) = rest.split_at(len);
        frames.push(frame.to_vec());
        rest = others;
    }
    assert_eq!((frames.len(), rest.len()), (count, 0));
    (frames, taken)
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    put_frame(&mut frame, Opcode::Binary, payload);
    frame
}

fn run(ops: &[Op]) {
    let limits = Limits::default()
        .max_buffered(usize::MAX)
        .max_queued(usize::MAX);
    let hub = Hub::builder().limits(limits).build();
    let mut peers: Vec<_> = (0..PEERS).map(|_| join(&hub)).collect();
    for (number, op) in ops.iter().enumerate() {
        let payload = |len: usize| {
            let mut payload = vec![7; len.max(8)];
            payload[..8].copy_from_slice(&number.to_be_bytes());
            payload
        };
        match op {
            Op::Send(peer, len) => {
                let subject = &mut peers[*peer];
                subject.peer.send(payload(*len)).unwrap();
                subject.expected.push_back(frame(&payload(*len)));
            }
            Op::Publish(by, topic, own, len) => {
                let message = Message::from(payload(*len));
                let name = topic.map(|topic| TOPICS[topic]);
                let author = by.map(|by| peers[by].peer.clone());
                let published = match (&author, name, own) {
                    (Some(by), Some(topic), false) => by.publish(topic, message),
                    (Some(by), Some(topic), true) => by.to(topic).including_self().send(message),
                    (Some(by), None, false) => by.broadcast(message),
                    (Some(by), None, true) => by.to_all().including_self().send(message),
                    (None, Some(topic), _) => hub.in_namespace("/").publish(topic, message),
                    (None, None, _) => hub.in_all_namespaces().broadcast(message),
                };
                let mut queued = 0;
                for (index, subject) in peers.iter_mut().enumerate() {
                    let hears = topic.is_none_or(|topic| subject.topics.contains(&topic));
                    if hears && (*own || *by != Some(index)) {
                        subject.expected.push_back(frame(&payload(*len)));
                        queued += 1;
                    }
                }
                assert_eq!(published.unwrap().queued, queued);
            }
            Op::Subscribe(peer, topic) => {
                let subject = &mut peers[*peer];
                let new = subject.peer.subscribe(TOPICS[*topic]).unwrap();
                assert_eq!(new, subject.topics.insert(*topic));
            }
            Op::Unsubscribe(peer, topic) => {
                let subject = &mut peers[*peer];
                let was = subject.peer.unsubscribe(TOPICS[*topic]);
                assert_eq!(was, subject.topics.remove(topic));
            }
            Op::Take(peer, sleeps) => {
                let subject = &mut peers[*peer];
                let (frames, taken) = take(&subject.outbox);
                assert!(std::mem::take(&mut subject.expected) == frames);
                assert!(taken.close.is_none() && !taken.overflowed);
                if *sleeps {
                    assert!(take(&subject.outbox).0.is_empty());
                }
            }
            Op::Leave(peer) => {
                let mut old = std::mem::replace(&mut peers[*peer], join(&hub));
                old.peer.close(CloseCode::NORMAL, "");
                let (mut frames, taken) = take(&old.outbox);
                assert_eq!(
                    frames.pop().unwrap()[0],
                    0x88,
                    "the close frame is the last"
                );
                assert!(old.expected == frames && taken.close.is_some());
                old.joined = None;
            }
        }
        for subject in &peers {
            let bytes: usize = subject.expected.iter().map(Vec::len).sum();
            assert_eq!(subject.peer.buffered_amount(), bytes);
        }
    }
}

proptest! {
    #[test]
    #[cfg_attr(miri, ignore = "too slow for an interpreter")]
    fn a_peers_frames_are_those_of_a_plain_queue(ops in proptest::collection::vec(op(), 1..80)) {
        run(&ops);
    }
}

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

/// Fills the outbox to more than half of its bound, while its client takes nothing.
fn fill_and_block(subject: &Subject) -> Batch {
    for _ in 0..6 {
        subject.peer.send(vec![0; 100]).unwrap();
    }
    let mut batch = Batch::default();
    subject.outbox.take(&mut batch);
    subject.outbox.must_wait();
    batch
}

#[test]
fn a_client_that_has_caught_up_is_given_time_again() {
    bounds::stop_clock_at(1);
    let limits = Limits::default().max_buffered(1000);
    let hub = Hub::builder().limits(limits).build();
    let subject = join(&hub);
    let mut batch = fill_and_block(&subject);
    assert!(subject.peer.is_behind());
    // Not all in one write: the first leaves more than half of the bound.
    batch.advance(10);
    subject.outbox.written(&batch);
    batch.advance(batch.bytes());
    subject.outbox.written(&batch);
    assert_eq!(subject.peer.buffered_amount(), 0);
    bounds::stop_clock_at(351);
    fill_and_block(&subject);
    assert!(subject.peer.is_behind());
}

#[test]
fn a_client_that_takes_a_little_now_and_then_is_not_given_time_again() {
    bounds::stop_clock_at(1);
    let limits = Limits::default().max_buffered(1000);
    let hub = Hub::builder().limits(limits).build();
    let subject = join(&hub);
    let mut batch = fill_and_block(&subject);
    assert!(subject.peer.is_behind());
    // Less than half of the bound is left, but not much was taken.
    batch.advance(200);
    subject.outbox.written(&batch);
    assert!(!subject.peer.is_behind());
    bounds::stop_clock_at(351);
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
    bounds::stop_clock_at(1);
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
    let mut batch = fill_and_block(subject);
    assert!(!waits(new, true), "so few bytes list nobody");
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
    panic!("nobody has looked");
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
        assert!(sent <= 500_000, "{sent} bytes fitted beside what is kept");
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
    let outbox = Outbox::new(&limits);
    for _ in 0..4 {
        outbox.enqueue(1, |batch| batch.push_back(b"x", 1));
    }
    outbox.must_wait();
    assert!(!outbox.settle(|_| None).closed);
    assert!(outbox.settle(|_| Some(false)).closed);
}

#[test]
fn a_subscriber_that_is_behind_is_counted_once() {
    bounds::stop_clock_at(1);
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
    panic!("nobody has looked");
}

/// Returns a peer with a short queue, for whom a write has to wait.
fn slow_with_little() -> (OpeningPeer<HooksBuilder>, Arc<Outbox>) {
    let (joined, outbox) = joined::join(&Hub::default());
    joined.peer().send("first").unwrap();
    outbox.must_wait();
    (joined, outbox)
}

#[test]
fn a_volatile_message_is_discarded_for_a_slow_client_however_little_waits() {
    let (joined, outbox) = slow_with_little();
    let options = SendOptions::new().volatile();
    let sent = joined.peer().send_with("late", options).unwrap();
    assert_eq!(sent, Sent::Dropped);
    assert_eq!(outbox.dropped(), 1);
}

#[test]
fn a_newer_message_with_a_key_takes_the_place_of_the_older_however_little_waits() {
    let (joined, outbox) = slow_with_little();
    let options = SendOptions::new().key("price");
    let before = outbox.buffered();
    for price in ["10", "20"] {
        joined.peer().send_with(price, options.clone()).unwrap();
    }
    assert_eq!(outbox.buffered(), before + 4);
}

#[test]
fn a_message_with_a_key_that_comes_after_the_close_takes_no_other_out() {
    let (joined, outbox) = slow_with_little();
    let key: Arc<str> = "price".into();
    joined
        .peer()
        .send_with("10", SendOptions::new().key(Arc::clone(&key)))
        .unwrap();
    outbox.close_with(None);
    let before = outbox.buffered();
    let receipt = outbox
        .replace(&key, || Bytes::from_static(b"\x81\x0220"))
        .unwrap();
    assert!(!receipt.queued);
    assert_eq!(
        outbox.buffered(),
        before,
        "what was queued before is still sent"
    );
}

#[test]
fn under_drop_newest_a_keyed_message_that_does_not_fit_leaves_the_older() {
    let limits = Limits::default()
        .overflow(Overflow::DropNewest)
        .max_buffered(40);
    let hub = Hub::builder().limits(limits).build();
    let (joined, outbox) = joined::join(&hub);
    let send = |text: &str| {
        joined
            .peer()
            .send_with(text, SendOptions::new().key("price"))
    };
    joined.peer().send("first").unwrap();
    outbox.must_wait();
    send("10").unwrap();
    let long = "2".repeat(60);
    assert!(matches!(send(&long), Err(SendError::Full(_))));
    assert_eq!((outbox.buffered(), outbox.dropped()), (7 + 4, 1));
    // What fits in place of the older replaces it.
    let fits = "3".repeat(29);
    send(&fits).unwrap();
    assert_eq!((outbox.buffered(), outbox.dropped()), (7 + 31, 1));
}
