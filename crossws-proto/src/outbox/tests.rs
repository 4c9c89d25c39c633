//! The outbox with a real hub, against a naive model: whatever is sent, published, subscribed and
//! fetched, in whatever order, a peer's frames are those of a plain queue.

// Helpers here unwrap as the tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod behind;
mod fetching;
mod left;
mod peer;
mod slow;
mod waiting;

use std::collections::{BTreeSet, VecDeque};
use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use crossws_core::adapter::OpeningPeer;
use crossws_core::{
    CloseCode, HooksBuilder, Hub, Limits, Message, Overflow, Peer, SendError, SendOptions, Sent,
};
use proptest::prelude::*;

use super::taking::Taken;
use crate::frame::{Opcode, put_frame};

use self::peer::{Batch, Outbox, outbox, stop_clock_at};

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
    /// The pump takes at most this many bytes.
    TakeAtMost(usize, usize),
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
        4 => (peer(), len()).prop_map(|(peer, most)| Op::TakeAtMost(peer, most)),
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
    let (joined, outbox) = peer::join(hub);
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
    take_at_most(outbox, usize::MAX)
}

fn take_at_most(outbox: &Outbox, most: usize) -> (Vec<Vec<u8>>, Taken) {
    let mut batch = Batch::default();
    let taken = match most {
        usize::MAX => outbox.take(&mut batch),
        most => outbox.take_as_written(&mut batch, most),
    };
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
    while let Some(len) = crate::frame::frame_len(rest) {
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
            Op::TakeAtMost(peer, most) => {
                let subject = &mut peers[*peer];
                let (frames, _) = take_at_most(&subject.outbox, *most);
                let bytes = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).sum::<usize>();
                assert!(frames.len() == 1 || bytes(&frames) <= *most);
                let rest = subject.expected.split_off(frames.len());
                assert!(std::mem::replace(&mut subject.expected, rest) == frames);
                // As many as there is room for.
                if let Some(next) = subject.expected.front() {
                    assert!(!frames.is_empty() && bytes(&frames) + next.len() > *most);
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
