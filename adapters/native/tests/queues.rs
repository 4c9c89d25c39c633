//! The memory of messages that wait for clients that do not read: how much, and where. Counted by
//! the allocator, over streams that never take a byte.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod common;

use std::alloc::System;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use cap::Cap;
use crossws_core::{CloseCode, HooksBuilder, Hub, Limits, Peer, PeerState, hooks};
use crossws_native::testing::FakeStream;
use crossws_native::{HeadLimits, StreamInfo, serve_stream};

use common::{Still, request};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// The test that counts holds it.
static COUNTING: Mutex<()> = Mutex::new(());

type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A hub, with connections that take nothing.
struct Room {
    hub: Hub,
    resolver: Arc<HooksBuilder>,
    connections: Vec<Connection>,
    _counting: MutexGuard<'static, ()>,
}

impl Room {
    fn new(limits: Limits) -> Self {
        Self {
            hub: Hub::builder().limits(limits).build(),
            resolver: Arc::new(hooks()),
            connections: Vec::new(),
            _counting: COUNTING.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn join(&mut self) -> Peer {
        let before: Vec<_> = self.hub.peers().iter().map(Peer::id).collect();
        let (resolver, hub) = (Arc::clone(&self.resolver), self.hub.clone());
        let stream = FakeStream::new();
        stream.arrive(request("/room"));
        let io = stream.clone();
        self.connections.push(Box::pin(async move {
            let (runtime, head) = (Still(Instant::now()), HeadLimits::default());
            let info = StreamInfo::default();
            let _ = serve_stream(io, info, &resolver, &hub, &runtime, &head).await;
        }));
        self.poll();
        // The client takes the answer to its request and nothing else.
        stream.set_room(0);
        let mut peers = self.hub.peers();
        peers.retain(|peer| !before.contains(&peer.id()));
        peers.remove(0)
    }

    /// Lets every connection try to write.
    fn poll(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        for connection in &mut self.connections {
            let _ = connection.as_mut().poll(&mut cx);
        }
    }

    fn publish(&self, topic: &str, len: usize) {
        let room = self.hub.in_namespace("/room");
        room.publish(topic, vec![7; len]).unwrap();
    }
}

#[test]
fn members_that_leave_share_what_waits_for_them() {
    const MEMBERS: usize = 60;
    const TOPICS: usize = 20;
    for leave_by in ["unsubscribe", "close", "close_all"] {
        let mut room = Room::new(Limits::default());
        let members: Vec<Peer> = (0..MEMBERS).map(|_| room.join()).collect();
        let topics: Vec<String> = (0..TOPICS).map(|topic| topic.to_string()).collect();
        for member in &members {
            for topic in &topics {
                member.subscribe(topic).unwrap();
            }
        }
        // Nearly as many as may wait. Each publication has its own author, so that none are alike.
        for _ in 0..4000 / TOPICS {
            for topic in &topics {
                room.publish(topic, 1);
            }
        }
        room.poll();
        let waits: Vec<usize> = members.iter().map(Peer::buffered_amount).collect();
        assert_eq!(waits, [12_000; MEMBERS]);

        let before = MEMORY.allocated();
        match leave_by {
            "unsubscribe" => {
                for (member, topic) in members
                    .iter()
                    .flat_map(|m| topics.iter().map(move |t| (m, t)))
                {
                    assert!(member.unsubscribe(topic));
                }
            }
            "close" => {
                for member in &members {
                    member.close(CloseCode::NORMAL, "");
                }
            }
            _ => room.hub.in_namespace("/room").close_all(CloseCode::RESTART),
        }
        let grown = MEMORY.allocated().saturating_sub(before) / MEMBERS;
        assert!(grown <= TOPICS * 200, "{leave_by}: {grown} bytes each");
        let waits: Vec<usize> = members.iter().map(Peer::buffered_amount).collect();
        assert_eq!(waits, [12_000; MEMBERS], "{leave_by}: it is still theirs");
    }
}

#[test]
fn messages_of_left_topics_count_against_the_bounds() {
    let mut room = Room::new(Limits::default());
    let peer = room.join();
    // Other subscribers may read along, and keep up.
    let before = MEMORY.allocated();
    let mut rounds = 0;
    while peer.state() == PeerState::Open {
        peer.subscribe("talk").unwrap();
        for _ in 0..300 {
            room.publish("talk", 1000);
            assert!(peer.buffered_amount() <= 1 << 20);
        }
        room.poll();
        peer.unsubscribe("talk");
        rounds += 1;
        assert!(rounds < 10, "{} bytes wait", peer.buffered_amount());
    }
    let held = MEMORY.allocated().saturating_sub(before);
    assert!(held < 2 << 20, "{held} bytes");
    assert!(peer.dropped() >= 600);
}

#[test]
fn all_topics_and_sent_messages_are_one_sum() {
    const TOPICS: usize = 100;
    for (len, most) in [(1000, 1 << 20), (1, 4096 * 3)] {
        let mut room = Room::new(Limits::default());
        let peer = room.join();
        for topic in 0..TOPICS {
            peer.subscribe(topic.to_string()).unwrap();
        }
        let mut sent = 0;
        let mut waits = 0;
        for round in 0.. {
            room.publish(&(round % TOPICS).to_string(), len);
            sent += 1;
            if peer.state() == PeerState::Open && round % 10 == 0 {
                sent += usize::from(peer.send(vec![7; len]).is_ok());
            }
            if round == 5 {
                // The connection finds that the client takes nothing.
                room.poll();
            }
            if peer.state() != PeerState::Open || peer.buffered_amount() < waits {
                break;
            }
            waits = peer.buffered_amount();
            assert!(waits <= most, "{waits} bytes");
            assert!(sent <= 4096, "{sent} messages");
        }
        // Close to the bound, and not before.
        assert!(waits > most * 9 / 10, "{waits} bytes");
    }
}
