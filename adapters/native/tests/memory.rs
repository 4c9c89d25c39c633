//! The memory of an idle connection, and of a topic, counted by the allocator.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod common;

use std::alloc::System;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use bytes::Bytes;
use cap::Cap;
use crossws_core::{HookResult, Hooks, Hub, Message, Peer, Rejection, Upgrade, UpgradeRequest};
use crossws_native::testing::FakeStream;
use crossws_native::{HeadLimits, StreamInfo, serve_stream};
use serde::{Deserialize, Serialize};

use common::{Still, request};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// The test that counts holds it.
static COUNTING: Mutex<()> = Mutex::new(());

const PATH: &str = "/idle/room";

/// A peer with the context and the topic of the measurement.
struct Echo;

#[derive(Serialize, Deserialize)]
struct Member {
    name: String,
}

impl Hooks for Echo {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let name = request.path().to_owned();
        Ok(Upgrade::new().namespace("/all").context(Member { name }))
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        peer.subscribe(&peer.context::<Member>()?.name)?;
        peer.send("ready")?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        peer.send(message)?;
        Ok(())
    }
}

/// Returns a stream on which these chunks have arrived. It shares them, so that a read frees no memory.
fn stream(chunks: &[Bytes]) -> FakeStream {
    let stream = FakeStream::new();
    chunks.iter().for_each(|chunk| stream.arrive(chunk.clone()));
    stream
}

#[test]
fn an_idle_connection_owns_little_before_a_burst_and_after() {
    const MANY: usize = 1000;
    const LARGE: usize = 16 << 10;
    /// Besides the runtime's memory for its task, its socket and its timer.
    const MOST: usize = 1480;

    let _counting = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut frame = vec![0x82, 0x80 | 126];
    frame.extend(u16::try_from(LARGE).unwrap().to_be_bytes());
    frame.extend([0; 4 + LARGE]);
    let (first, second) = frame.split_at(LARGE / 2);
    let chunks = [first, second].map(Bytes::copy_from_slice);
    let request = [request(PATH).into()];
    let streams: Vec<_> = (0..=MANY).map(|_| stream(&request)).collect();
    let (hub, runtime) = (Hub::default(), Still(Instant::now()));
    let (resolver, head) = (Arc::new(Echo), HeadLimits::default());
    let mut cx = Context::from_waker(Waker::noop());
    let mut connections = Vec::with_capacity(2 * MANY);
    let mut connect = |connections: &mut Vec<Pin<Box<dyn Future<Output = _> + Send>>>| {
        let stream = &streams[connections.len()];
        let info = StreamInfo::default();
        let served = serve_stream(stream.clone(), info, &resolver, &hub, &runtime, &head);
        connections.push(Box::pin(served) as _);
        assert!(
            connections
                .last_mut()
                .unwrap()
                .as_mut()
                .poll(&mut cx)
                .is_pending()
        );
        stream.take();
    };
    // Memory that the first connection allocates belongs to the thread, or to the topic.
    connect(&mut connections);

    let before = MEMORY.allocated();
    for _ in 0..MANY {
        connect(&mut connections);
    }
    let idle = (MEMORY.allocated() - before) / MANY;
    assert_eq!(hub.stats().peers, 1 + MANY);
    assert!(idle <= MOST, "{idle} bytes");

    for (chunk, bytes) in chunks.into_iter().zip([0, LARGE + 4]) {
        for (connection, stream) in connections.iter_mut().zip(&streams) {
            stream.arrive(chunk.clone());
            assert!(connection.as_mut().poll(&mut cx).is_pending());
            assert_eq!(stream.take().len(), bytes);
        }
    }
    let after = (MEMORY.allocated() - before) / MANY;
    // Other threads, such as the test runner's, allocate a little too.
    assert!(
        after < idle + 16,
        "{after} bytes after {LARGE}, {idle} before"
    );
}

#[test]
fn a_topic_costs_its_name_and_little_more() {
    const MANY: usize = 120;
    const NAME: usize = 250;
    /// Besides its name: the topic with its lane, its first member, and its places in the
    /// namespace's index and in its peer's list.
    const MOST: usize = 608;

    let _counting = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let io = stream(&[request(PATH).into()]);
    let (hub, runtime) = (Hub::default(), Still(Instant::now()));
    let (resolver, head) = (Arc::new(Echo), HeadLimits::default());
    let mut served = Box::pin(serve_stream(
        io,
        StreamInfo::default(),
        &resolver,
        &hub,
        &runtime,
        &head,
    ));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(served.as_mut().poll(&mut cx).is_pending());
    let peer = hub.peers().remove(0);
    let names: Vec<_> = (0..MANY).map(|n| format!("{n:0NAME$}")).collect();

    let before = MEMORY.allocated();
    for name in &names {
        assert!(peer.subscribe(name).unwrap());
    }
    // The hooks have run, in turns.
    let mut settle = || (0..4).all(|_| served.as_mut().poll(&mut cx).is_pending());
    assert!(settle());
    let each = (MEMORY.allocated() - before) / MANY;
    assert!(each <= NAME + MOST, "{each} bytes");
    for name in &names {
        assert!(peer.unsubscribe(name));
    }
    assert!(settle());
    let left = MEMORY.allocated().saturating_sub(before);
    // The peer's list may keep its capacity.
    assert!(left < MANY * 32, "{left} bytes are left");
}

#[test]
fn an_idle_connection_keeps_a_bounded_part_of_a_large_head() {
    /// Besides the bound.
    const MOST: usize = 2048;

    let _counting = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    // A browser with many cookies, a client with many small headers, and a client whose request
    // does not fit the compact form of most requests.
    let (cookie, name) = ("c".repeat(15_000), "n".repeat(200));
    let many: String = (0..90)
        .map(|n| format!("x-{n:03}: {}\r\n", "v".repeat(150)))
        .collect();
    let heads = [
        format!("Cookie: {cookie}\r\n"),
        many.clone(),
        format!("{name}: a\r\n{many}"),
    ];
    for more in heads {
        let mut request = request(PATH);
        request.truncate(request.len() - 2);
        request.extend_from_slice(more.as_bytes());
        request.extend_from_slice(b"\r\n");
        let chunks: Vec<_> = request.chunks(2048).map(Bytes::copy_from_slice).collect();
        let streams: Vec<_> = (0..101).map(|_| stream(&chunks)).collect();
        let (hub, runtime) = (Hub::default(), Still(Instant::now()));
        let (resolver, head) = (Arc::new(Echo), HeadLimits::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut connect = |stream: &FakeStream| {
            let (io, info) = (stream.clone(), StreamInfo::default());
            let served = serve_stream(io, info, &resolver, &hub, &runtime, &head);
            let mut served = Box::pin(served);
            assert!(served.as_mut().poll(&mut cx).is_pending());
            stream.take();
            served
        };
        let _first = connect(&streams[0]);
        let before = MEMORY.allocated();
        let connections: Vec<_> = streams[1..].iter().map(connect).collect();
        let each = (MEMORY.allocated() - before) / 100;
        assert_eq!(hub.stats().peers, 101);
        let most = hub.limits().max_kept_head.get() + MOST;
        assert!(each <= most, "{each} bytes for {}", request.len());
        drop(connections);
    }
}
