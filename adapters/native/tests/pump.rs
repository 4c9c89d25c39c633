//! The pump over a played socket and in virtual time: what it writes, when, in how few calls, and
//! what it does not touch.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crossws_core::{
    Closed, ClosedBy, Deflate, Hooks, HooksBuilder, Hub, Limits, Overflow, Upgrade, hooks,
};
use crossws_native::{HeadLimits, Io, Runtime, StreamInfo, serve_stream};

const REQUEST: &[u8] = b"GET /room HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// One masked client frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | payload.len() as u8, 1, 2, 3, 4];
    let masked = payload.iter().zip([1, 2, 3, 4].iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Both ends of a played socket, and the clock.
#[derive(Default)]
struct World {
    now: Duration,
    /// Bytes on their way to the server, a chunk a read.
    input: VecDeque<Vec<u8>>,
    input_ended: bool,
    /// What the server wrote, and how much more it may write.
    output: Vec<u8>,
    room: usize,
    shut_down: bool,
    aborted: bool,
    /// Every write fails.
    broken: bool,
    /// What others do while the server writes.
    meanwhile: Option<Box<dyn Fn() + Send>>,
    reads: usize,
    writes: usize,
    read_waker: Option<Waker>,
    write_waker: Option<Waker>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<World>>, Instant);

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl Io for Shared {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut world = self.world();
        world.reads += 1;
        if let Some(chunk) = world.input.pop_front() {
            buf[..chunk.len()].copy_from_slice(&chunk);
            return Poll::Ready(Ok(chunk.len()));
        }
        if world.input_ended {
            return Poll::Ready(Ok(0));
        }
        world.read_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut world = self.world();
        if world.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if world.room == 0 {
            world.write_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        world.writes += 1;
        let mut written = 0;
        for buf in bufs {
            let count = buf.len().min(world.room);
            world.output.extend_from_slice(&buf[..count]);
            world.room -= count;
            written += count;
        }
        if let Some(meanwhile) = world.meanwhile.take() {
            drop(world);
            meanwhile();
            self.world().meanwhile = Some(meanwhile);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.world().shut_down = true;
        Poll::Ready(Ok(()))
    }

    fn abort(&mut self) {
        self.world().aborted = true;
    }
}

/// Ready when the clock has advanced far enough. The test polls by hand, so no task is woken.
struct Sleep(Shared, Duration);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.world().now >= self.1 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Runtime for Shared {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        let at = self.world().now + duration;
        Sleep(self.clone(), at)
    }

    fn now(&self) -> Instant {
        self.1 + self.world().now
    }
}

struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A connection that the test polls.
struct Connection {
    shared: Shared,
    hub: Hub,
    task: Pin<Box<dyn Future<Output = ()> + Send>>,
    over: bool,
    wakes: Arc<Wakes>,
}

impl Connection {
    /// Open, with the 101 written and taken away.
    fn open(hooks: impl Hooks, limits: Limits) -> Self {
        Self::open_as(hooks, limits, StreamInfo::default())
    }

    fn open_as(hooks: impl Hooks, limits: Limits, info: StreamInfo) -> Self {
        let mut connection = Self::new_as(hooks, limits, info);
        connection.receive(REQUEST);
        assert!(connection.take().starts_with(b"HTTP/1.1 101"));
        connection
    }

    /// Open, and its messages may be compressed.
    fn compressed(hooks: HooksBuilder, config: Deflate) -> Self {
        let hooks = hooks.on_upgrade(move |_| async move { Ok(Upgrade::new().deflate(config)) });
        let mut connection = Self::new(hooks, Limits::default());
        let headers = REQUEST.strip_suffix(b"\r\n").unwrap();
        let offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        connection.receive(&[headers, offer].concat());
        assert!(connection.take().starts_with(b"HTTP/1.1 101"));
        connection
    }

    fn new(hooks: impl Hooks, limits: Limits) -> Self {
        Self::new_as(hooks, limits, StreamInfo::default())
    }

    fn new_as(hooks: impl Hooks, limits: Limits, info: StreamInfo) -> Self {
        let shared = Shared(Arc::default(), Instant::now());
        shared.world().room = usize::MAX;
        let hub = Hub::builder().limits(limits).build();
        let (io, runtime, its_hub) = (shared.clone(), shared.clone(), hub.clone());
        let hooks = Arc::new(hooks);
        let task = Box::pin(async move {
            let head = HeadLimits::default();
            let served = serve_stream(io, info, &hooks, &its_hub, &runtime, &head).await;
            assert!(served.is_ok());
        });
        let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
        Self {
            shared,
            hub,
            task,
            over: false,
            wakes,
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// Polls once. Returns whether it must be polled again.
    fn poll(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let mut cx = Context::from_waker(&waker);
        let before = self.wakes.0.load(Ordering::SeqCst);
        if !self.over {
            self.over = self.task.as_mut().poll(&mut cx).is_ready();
        }
        !self.over && self.wakes.0.load(Ordering::SeqCst) != before
    }

    /// Polls until nothing more happens without a new event.
    fn settle(&mut self) {
        while self.poll() {}
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.arrive(bytes);
        self.settle();
    }

    /// Adds bytes without polling the task.
    fn arrive(&mut self, bytes: &[u8]) {
        let waker = {
            let mut world = self.world();
            world.input.push_back(bytes.to_vec());
            world.read_waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Adds a chunk whenever there is none left to read. The connection must still let other tasks
    /// run.
    fn arrives_without_end(&mut self, chunk: &[u8]) {
        self.world().input.extend(vec![chunk.to_vec(); 10_000]);
        self.arrive(chunk);
        let reads = self.world().reads;
        assert!(self.poll(), "it comes back");
        let reads = self.world().reads - reads;
        assert!(reads < 200, "{reads} reads in one go");
    }

    fn end_input(&mut self) {
        let waker = {
            let mut world = self.world();
            world.input_ended = true;
            world.read_waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.settle();
    }

    fn set_room(&mut self, room: usize) {
        let waker = {
            let mut world = self.world();
            world.room = room;
            world.write_waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.settle();
    }

    fn pass(&mut self, time: Duration) {
        self.world().now += time;
        self.settle();
    }

    /// Returns the bytes written since the last call.
    fn take(&mut self) -> Vec<u8> {
        self.settle();
        std::mem::take(&mut self.world().output)
    }
}

/// Hooks that record how the connection ended.
fn recording() -> (HooksBuilder, Arc<Mutex<Vec<Closed>>>) {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ends);
    let hooks = hooks().on_close(move |_, closed| {
        let seen = Arc::clone(&seen);
        async move { seen.lock().unwrap().push(closed) }
    });
    (hooks, ends)
}

fn echo() -> HooksBuilder {
    hooks().on_message(|peer, message| async move { peer.send(message) })
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_burst_of_answers_leaves_in_one_write() {
    let mut connection = Connection::open(echo(), Limits::default());
    let before = connection.world().writes;
    connection.receive(&frame(0x81, b"hello").repeat(50));
    assert_eq!(connection.take(), b"\x81\x05hello".repeat(50));
    assert_eq!(connection.world().writes, before + 1);
}

#[test]
fn a_task_woken_to_write_does_not_read() {
    let mut connection = Connection::open(hooks(), Limits::default());
    connection.settle();
    let reads = connection.world().reads;
    for _ in 0..100 {
        connection
            .hub
            .in_namespace("/room")
            .broadcast("news")
            .unwrap();
        assert_eq!(connection.take(), b"\x81\x04news");
    }
    assert_eq!(connection.world().reads, reads);
}

#[test]
fn what_others_publish_waits_for_those_who_are_ready_too() {
    let mut connection = Connection::open(hooks(), Limits::default());
    let hub = connection.hub.clone();
    let room = hub.in_namespace("/room");
    for first in ["news", "another turn's"] {
        let writes = connection.world().writes;
        room.broadcast(first).unwrap();
        connection.arrive(&frame(0x81, b"mine"));
        assert!(connection.poll(), "it comes back");
        assert_eq!(connection.world().writes, writes);
        // Another task that was ready.
        room.broadcast("more").unwrap();
        connection.settle();
        assert_eq!(connection.world().writes, writes + 1);
        let mut output = vec![0x81, first.len() as u8];
        output.extend(first.as_bytes());
        output.extend(b"\x81\x04more");
        assert_eq!(connection.take(), output);
    }
}

#[test]
fn what_was_published_leaves_with_an_answer_at_once() {
    let mut connection = Connection::open(echo(), Limits::default());
    connection.settle();
    let hub = connection.hub.clone();
    let room = hub.in_namespace("/room");
    room.broadcast("news").unwrap();
    connection.arrive(&frame(0x81, b"mine"));
    connection.poll();
    let output = std::mem::take(&mut connection.world().output);
    assert_eq!(output, b"\x81\x04news\x81\x04mine");
}

#[test]
fn many_publications_wake_a_sleeping_writer_once() {
    let mut connection = Connection::open(hooks(), Limits::default());
    connection.settle();
    let wakes = connection.wakes.0.load(Ordering::SeqCst);
    for _ in 0..100 {
        connection
            .hub
            .in_namespace("/room")
            .broadcast("news")
            .unwrap();
    }
    assert_eq!(connection.wakes.0.load(Ordering::SeqCst), wakes + 1);
    let writes = connection.world().writes;
    assert_eq!(connection.take().len(), 600);
    assert_eq!(connection.world().writes, writes + 1);
}

#[test]
fn a_head_byte_by_byte_and_a_frame_behind_it_are_taken() {
    let mut connection = Connection::new(echo(), Limits::default());
    let (last, head) = REQUEST.split_last().unwrap();
    for byte in head {
        connection.receive(&[*byte]);
    }
    assert!(connection.take().is_empty());
    let mut packet = vec![*last];
    packet.extend(frame(0x81, b"early"));
    connection.receive(&packet);
    let answer = connection.take();
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    assert!(answer.ends_with(b"\r\n\r\n\x81\x05early"));
}

#[test]
fn only_the_latest_ping_is_answered_when_many_wait() {
    let mut connection = Connection::open(hooks(), Limits::default());
    connection.set_room(0);
    connection.hub.in_namespace("/room").broadcast("x").unwrap();
    connection.settle();
    for ping in [b"one", b"two", b"six"] {
        connection.receive(&frame(0x89, ping));
    }
    connection.set_room(usize::MAX);
    assert_eq!(connection.take(), b"\x81\x01x\x8a\x03six");
}

#[test]
fn the_pings_of_a_burst_are_all_answered_within_reason() {
    let mut connection = Connection::open(hooks(), Limits::default().max_inbound(64));
    let burst: Vec<u8> = (0..10).flat_map(|n| frame(0x89, &[n])).collect();
    connection.receive(&burst);
    let answers: Vec<u8> = (0..10).flat_map(|n| [0x8a, 1, n]).collect();
    assert_eq!(connection.take(), answers);

    let burst: Vec<u8> = (0..20).flat_map(|n| frame(0x89, &[n])).collect();
    connection.receive(&burst);
    let answers: Vec<u8> = (4..20).flat_map(|n| [0x8a, 1, n]).collect();
    assert_eq!(connection.take(), answers, "the latest of too many");
}

#[test]
fn what_came_before_a_close_frame_is_answered_first() {
    let mut connection = Connection::open(echo(), Limits::default());
    let mut packet = frame(0x81, b"one");
    packet.extend(frame(0x82, &[7; 125]));
    packet.extend(frame(0x88, b"\x03\xe8"));
    connection.receive(&packet);
    let mut answer = b"\x81\x03one\x82\x7d".to_vec();
    answer.extend([7; 125]);
    answer.extend(b"\x88\x02\x03\xe8");
    assert_eq!(connection.take(), answer);
    assert!(connection.world().shut_down);
}

#[test]
fn a_burst_behind_a_hook_that_waits_is_kept_and_heard_in_order() {
    let gate = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&gate);
    let hooks = hooks().on_message(move |peer, message| {
        let gate = Arc::clone(&gate);
        async move {
            // Polled by hand, so no task is woken.
            poll_fn(|_| match gate.load(Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
            peer.send(message)
        }
    });
    let mut connection = Connection::open(hooks, Limits::default());
    let mut packet = frame(0x81, b"wait");
    packet.extend(frame(0x81, b"behind").repeat(100));
    packet.extend(frame(0x81, b"last"));
    connection.receive(&packet);
    assert_eq!(connection.take(), b"");
    // Another connection of this thread reads meanwhile.
    let mut other = Connection::open(echo(), Limits::default());
    other.receive(&frame(0x81, b"other").repeat(200));
    assert_eq!(other.take(), b"\x81\x05other".repeat(200));
    opened.store(true, Ordering::SeqCst);
    let mut answer = b"\x81\x04wait".to_vec();
    answer.extend(b"\x81\x06behind".repeat(100));
    answer.extend(b"\x81\x04last");
    assert_eq!(connection.take(), answer);
}

#[test]
fn a_hook_may_run_another_connection_on_its_thread() {
    // Both in the middle of what one read gave them.
    let within = hooks().on_message(|peer, message: crossws_core::Message| {
        let mut other = Connection::open(echo(), Limits::default());
        other.receive(&frame(0x81, b"other").repeat(200));
        assert_eq!(other.take(), b"\x81\x05other".repeat(200));
        async move { peer.send(message) }
    });
    let mut connection = Connection::open(within, Limits::default());
    let mut packet = Vec::new();
    let mut answer = Vec::new();
    for n in 0..100 {
        packet.extend(frame(0x82, &[n; 9]));
        answer.extend([&[0x82, 9], &[n; 9][..]].concat());
    }
    // And a beginning, whose rest comes later.
    packet.extend(&frame(0x81, b"later")[..8]);
    connection.receive(&packet);
    assert_eq!(connection.take(), answer);
    connection.receive(&frame(0x81, b"later")[8..]);
    assert_eq!(connection.take(), b"\x81\x05later");
}

#[test]
fn what_came_before_a_violation_is_answered_first() {
    let mut connection = Connection::open(echo(), Limits::default());
    let mut packet = frame(0x81, b"one");
    packet.extend(frame(0x81, b"two"));
    packet.extend(frame(0x83, b"bad"));
    packet.extend(frame(0x81, b"not heard"));
    connection.receive(&packet);
    let answer = connection.take();
    assert!(
        answer.starts_with(b"\x81\x03one\x81\x03two\x88\x10\x03\xea"),
        "{answer:?}"
    );
    assert!(connection.world().shut_down);
}

#[test]
fn a_violation_does_not_wait_for_a_hook_that_never_ends() {
    let (hooks, _) = recording();
    let hooks = hooks.on_message(|_, _| std::future::pending::<()>());
    let mut connection = Connection::open(hooks, Limits::default());
    let mut packet = frame(0x81, b"stuck");
    packet.extend(frame(0x83, b"bad"));
    connection.receive(&packet);
    assert!(connection.take().is_empty());
    connection.pass(secs(4));
    assert!(connection.take().is_empty());
    connection.pass(secs(1));
    assert!(connection.take().starts_with(b"\x88\x10\x03\xea"));
}

#[test]
fn who_broke_a_rule_is_not_decoded_behind_a_close_of_this_side() {
    let stuck = hooks().on_message(|_, _| std::future::pending::<()>());
    let mut connection = Connection::open(stuck, Limits::default());
    let mut packet = frame(0x81, b"stuck");
    packet.extend(frame(0x83, b"bad"));
    connection.receive(&packet);
    let peer = connection.hub.peers().remove(0);
    peer.close(crossws_core::CloseCode::NORMAL, "");
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.world().shut_down, "no answer of it is awaited");
}

#[test]
fn a_flood_of_pings_is_a_policy_violation() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x89, b"").repeat(101));
    let answer = connection.take();
    assert!(
        answer.windows(4).any(|bytes| bytes == b"\x88\x19\x03\xf0"),
        "1008: {answer:?}"
    );
    assert!(connection.world().shut_down);
    assert_eq!(ends.lock().unwrap()[0].code, 1008);
}

#[test]
fn a_silent_client_is_pinged_then_given_up() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.pass(secs(22));
    assert!(
        connection.take().is_empty(),
        "no ping before 25 s less 10 %"
    );
    connection.pass(secs(6));
    assert_eq!(connection.take(), b"\x89\x00");
    connection.pass(secs(19));
    assert!(ends.lock().unwrap().is_empty());
    connection.pass(secs(2));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!((closed.code, closed.by), (3008, ClosedBy::Timeout));
    assert!(connection.take().starts_with(b"\x88\x15\x0b\xc0silent"));
    connection.pass(secs(5));
    assert!(connection.over && connection.world().aborted);
}

#[test]
fn any_bytes_after_a_ping_count() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    for _ in 0..10 {
        connection.pass(secs(28));
        assert_eq!(connection.take(), b"\x89\x00");
        connection.receive(&frame(0x81, b"not a pong"));
    }
    assert!(ends.lock().unwrap().is_empty());
}

#[test]
fn silence_while_this_side_does_not_read_is_no_silence() {
    let (hooks, ends) = recording();
    let hooks = hooks.on_message(|_, _| std::future::pending::<()>());
    let limits = Limits::default().max_inbound(2);
    let mut connection = Connection::open(hooks, limits);
    connection.receive(&frame(0x81, b"stuck").repeat(5));
    for _ in 0..10 {
        connection.pass(secs(20));
    }
    assert!(ends.lock().unwrap().is_empty() && !connection.over);
    assert_eq!(connection.hub.peers().len(), 1);
}

#[test]
fn a_life_that_is_too_long_ends_with_1012() {
    let (hooks, ends) = recording();
    let limits = Limits::default().ping_interval(None).max_lifetime(secs(60));
    let mut connection = Connection::open(hooks, limits);
    connection.pass(secs(67));
    assert!(connection.take().starts_with(b"\x88\x14\x03\xf4"));
    connection.receive(&frame(0x88, &[0x03, 0xf4]));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1012, ClosedBy::Server, true)
    );
}

#[test]
fn a_compressor_that_was_not_used_between_two_heartbeats_is_given_back() {
    let config = Deflate::default()
        .server_no_context_takeover(false)
        .threshold(1_usize)
        .max_context_memory(usize::MAX >> 1);
    let mut connection = Connection::compressed(echo(), config);
    let text = b"{\"type\":\"presence\",\"user\":\"someone\",\"state\":\"away\",\"since\":170000}";
    let echoed = |connection: &mut Connection| {
        connection.receive(&frame(0x81, text));
        let echo = connection.take();
        assert_eq!(echo[0], 0xc1);
        echo.len()
    };
    let heartbeat = |connection: &mut Connection| {
        connection.pass(secs(28));
        assert_eq!(connection.take()[0], 0x89);
        connection.receive(&frame(0x8a, b""));
    };
    let first = echoed(&mut connection);
    assert!(echoed(&mut connection) * 2 < first);
    for _ in 0..3 {
        heartbeat(&mut connection);
        assert!(echoed(&mut connection) * 2 < first, "it was in use");
    }
    heartbeat(&mut connection);
    heartbeat(&mut connection);
    assert_eq!(echoed(&mut connection), first, "it begins anew");
}

#[test]
fn credentials_end_with_4401_unless_they_are_renewed() {
    let (hooks, ends) = recording();
    let hooks = hooks
        .on_upgrade(|_| async { Ok(Upgrade::new().expires(secs(60))) })
        .on_message(|peer, _| async move { peer.set_expiry(secs(30)) });
    let limits = Limits::default().ping_interval(None).idle_timeout(None);
    let mut connection = Connection::open(hooks, limits);
    connection.pass(secs(59));
    assert_eq!(connection.take(), b"");
    connection.receive(&frame(0x81, b"renew"));
    connection.pass(secs(29));
    assert_eq!(connection.take(), b"");
    connection.pass(secs(2));
    assert!(
        connection
            .take()
            .starts_with(b"\x88\x15\x11\x31credentials expired")
    );
    connection.receive(&frame(0x81, b"too late"));
    connection.receive(&frame(0x88, &[0x11, 0x31]));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (4401, ClosedBy::Timeout, true)
    );
}

#[test]
fn a_client_that_only_pings_is_inactive() {
    let (hooks, ends) = recording();
    let limits = Limits::default().ping_interval(None).idle_timeout(None);
    let mut connection = Connection::open(hooks, limits.inactivity_timeout(secs(60)));
    connection.pass(secs(59));
    connection.receive(&frame(0x81, b"here"));
    connection.take();
    connection.pass(secs(59));
    connection.receive(&frame(0x89, b""));
    assert_eq!(connection.take(), b"\x8a\0");
    connection.pass(secs(2));
    assert!(connection.take().starts_with(b"\x88\x0a\x0b\xc0inactive"));
    connection.receive(&frame(0x88, &[0x0b, 0xc0]));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!((closed.code, closed.by), (3008, ClosedBy::Timeout));
}

#[test]
fn a_renewal_from_elsewhere_to_a_sooner_end_is_kept() {
    let (hooks, ends) = recording();
    let limits = Limits::default().ping_interval(None).idle_timeout(None);
    let mut connection = Connection::open(hooks, limits);
    let peer = connection.hub.peers().remove(0);
    peer.set_expiry(secs(5)).unwrap();
    connection.pass(Duration::ZERO);
    assert_eq!(connection.take(), b"");
    connection.pass(secs(6));
    assert!(connection.take().starts_with(b"\x88\x15\x11\x31"));
    connection.pass(secs(6));
    assert_eq!(ends.lock().unwrap().pop().unwrap().by, ClosedBy::Timeout);
}

#[test]
fn a_close_that_nobody_answers_is_given_up() {
    let (hooks, ends) = recording();
    let hooks = hooks.on_open(|peer| async move {
        peer.close(crossws_core::CloseCode::NORMAL, "bye");
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.pass(Duration::from_millis(4900));
    assert!(ends.lock().unwrap().is_empty());
    connection.pass(Duration::from_millis(200));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1000, ClosedBy::Server, false)
    );
    assert!(connection.over && connection.world().aborted);
}

#[test]
fn after_the_last_frame_the_stream_is_ended_and_the_clients_end_awaited() {
    let (hooks, _) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x88, &[0x03, 0xe8]));
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.world().shut_down && !connection.over);
    connection.receive(b"what was still on its way");
    connection.end_input();
    assert!(connection.over && !connection.world().aborted);
}

/// A connection whose drop is an orderly end, after the client has closed it.
fn closed_by_client(hooks: impl Hooks, close: &[u8]) -> Connection {
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut connection = Connection::open_as(hooks, Limits::default(), info);
    connection.receive(close);
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    connection
}

const CLOSE: [u8; 2] = [0x03, 0xe8];

#[test]
fn a_socket_is_dropped_as_soon_as_both_sides_have_said_everything() {
    let (hooks, ends) = recording();
    let connection = closed_by_client(hooks, &frame(0x88, &CLOSE));
    assert!(connection.over);
    assert!(!connection.world().shut_down && !connection.world().aborted);
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!((closed.code, closed.clean), (1000, true));
}

#[test]
fn a_socket_with_something_unread_is_not_dropped() {
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut connection = Connection::open_as(hooks(), Limits::default(), info);
    let behind = b"against the rules".to_vec();
    // Comes with the next read.
    connection.world().input.push_back(frame(0x88, &CLOSE));
    connection.receive(&behind);
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.world().shut_down && !connection.over);
    connection.end_input();
    assert!(connection.over && !connection.world().aborted);
}

#[test]
fn a_close_hook_that_waits_does_not_keep_the_client_waiting() {
    let waits = hooks().on_close(|_, _| std::future::pending::<()>());
    let connection = closed_by_client(waits, &frame(0x88, &CLOSE));
    assert!(connection.world().shut_down && !connection.over);
}

#[test]
fn a_socket_whose_client_reads_late_is_not_dropped() {
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut connection = Connection::open_as(hooks(), Limits::default(), info);
    connection.set_room(0);
    connection.receive(&frame(0x88, &CLOSE));
    connection.set_room(usize::MAX);
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.world().shut_down && !connection.over);
}

/// A connection whose drop is an orderly end, and whose client has been sent a ping.
fn pinged() -> Connection {
    let hooks = hooks().on_open(|peer| async move {
        peer.ping("").unwrap();
    });
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut connection = Connection::new_as(hooks, Limits::default(), info);
    connection.receive(REQUEST);
    assert!(connection.take().ends_with(b"\r\n\r\n\x89\x00"));
    connection
}

#[test]
fn a_socket_is_not_dropped_before_its_client_has_answered_a_ping() {
    let mut connection = pinged();
    connection.receive(&frame(0x88, &CLOSE));
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.world().shut_down && !connection.over);
    connection.receive(&frame(0x8a, b""));
    connection.end_input();
    assert!(connection.over && !connection.world().aborted);
    // A heartbeat is a ping, too.
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut connection = Connection::open_as(hooks(), Limits::default(), info);
    connection.pass(Duration::from_secs(28));
    assert_eq!(connection.take(), b"\x89\x00");
    connection.receive(&frame(0x88, &CLOSE));
    assert!(connection.world().shut_down && !connection.over);
}

#[test]
fn a_socket_is_dropped_when_its_client_has_answered_every_ping() {
    let mut connection = pinged();
    connection.receive(&frame(0x8a, b""));
    connection.receive(&frame(0x88, &CLOSE));
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    assert!(connection.over && !connection.world().shut_down);
}

#[test]
fn a_socket_that_this_side_closes_is_not_dropped_before_its_client_ends() {
    let info = StreamInfo::default().with_ends_on_drop(true);
    let hooks = hooks().on_open(|peer| async move {
        peer.close(crossws_core::CloseCode::NORMAL, "");
    });
    let mut connection = Connection::open_as(hooks, Limits::default(), info);
    connection.receive(&frame(0x88, &CLOSE));
    assert!(connection.world().shut_down && !connection.over);
    let info = StreamInfo::default().with_ends_on_drop(true);
    let mut violated = Connection::open_as(echo(), Limits::default(), info);
    violated.receive(&[0xff, 0xff]);
    assert!(violated.take().starts_with(b"\x88"));
    assert!(violated.world().shut_down && !violated.over);
}

#[test]
fn a_slow_consumer_gets_the_rest_of_its_frame_then_1013() {
    let (hooks, ends) = recording();
    let limits = Limits::default().max_buffered(1000);
    let mut connection = Connection::open(hooks, limits);
    connection.set_room(7);
    let news = |connection: &mut Connection| {
        let scope = connection.hub.in_namespace("/room");
        let told = scope.broadcast("0123456789".repeat(10)).unwrap();
        connection.settle();
        told
    };
    let mut lost = 0;
    while ends.lock().unwrap().is_empty() {
        lost += news(&mut connection).dropped;
    }
    assert!(lost >= 1);
    connection.set_room(usize::MAX);
    let output = connection.take();
    assert_eq!(
        &output[..102],
        [b"\x81\x64", "0123456789".repeat(10).as_bytes()].concat()
    );
    assert_eq!(&output[102..], b"\x88\x0f\x03\xf5slow consumer");
    assert!(connection.world().shut_down);
    assert_eq!(ends.lock().unwrap()[0].code, 1013);
}

#[test]
fn answers_that_are_not_read_hold_the_next_messages_back() {
    let limits = Limits::default().max_buffered(1000);
    let (hooks, ends) = recording();
    let hooks = hooks.on_message(|peer, message| async move { peer.send(message) });
    let mut connection = Connection::open(hooks, limits);
    connection.set_room(0);
    // Ten times what the queue holds, from a client that reads late: slowed down, not cut off.
    for _ in 0..100 {
        connection.receive(&frame(0x82, &[7; 100]));
    }
    assert!(ends.lock().unwrap().is_empty());
    let left = connection.world().input.len();
    assert!(left > 0, "the socket is not read any further");
    connection.set_room(usize::MAX);
    assert_eq!(connection.take().len(), 100 * 102);
}

#[test]
fn answers_as_large_as_the_queue_follow_one_another() {
    let limits = Limits::default().max_buffered(1000).max_message_size(1000);
    let mut connection = Connection::open(echo(), limits);
    connection.set_room(1);
    for _ in 0..9 {
        connection.receive(&frame(0x82, &[7; 120]));
        connection.receive(&large_frame(1000));
    }
    connection.set_room(usize::MAX);
    assert_eq!(connection.take().len(), 9 * (122 + 1004));
}

/// A masked binary frame with a two-byte length and a key of zeros.
fn large_frame(len: u16) -> Vec<u8> {
    let mut bytes = vec![0x82, 0xfe];
    bytes.extend(len.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.resize(bytes.len() + usize::from(len), 7);
    bytes
}

#[test]
fn losses_under_a_policy_do_not_break_a_frame() {
    for policy in [Overflow::DropNewest, Overflow::DropOldest] {
        let limits = Limits::default().max_queued(3).overflow(policy);
        let mut connection = Connection::open(hooks(), limits);
        connection.set_room(1);
        for n in 0..9u8 {
            let scope = connection.hub.in_namespace("/room");
            scope.broadcast(vec![n]).unwrap();
            connection.settle();
        }
        connection.set_room(usize::MAX);
        let output = connection.take();
        let frames: Vec<_> = output
            .chunks(3)
            .map(|frame| (frame[0], frame[1], frame[2]))
            .collect();
        assert!(
            frames
                .iter()
                .all(|(first, len, _)| (*first, *len) == (0x82, 1))
        );
        let seen: Vec<_> = frames.iter().map(|(_, _, n)| *n).collect();
        match policy {
            Overflow::DropNewest => assert_eq!(seen, [0, 1, 2]),
            _ => assert_eq!(seen, [0, 6, 7, 8]),
        }
    }
}

#[test]
fn a_queue_that_is_too_old_counts_as_full() {
    for (policy, expected) in [
        (Overflow::DropNewest, vec![0, 1, 2]),
        (Overflow::DropOldest, vec![0, 4]),
    ] {
        let limits = Limits::default().overflow(policy).ping_interval(None);
        let mut connection = Connection::open(hooks(), limits);
        let publish = |connection: &mut Connection, n: u8| {
            let scope = connection.hub.in_namespace("/room");
            scope.broadcast(vec![n]).unwrap();
            connection.settle();
        };
        connection.set_room(1);
        for n in 0..3 {
            publish(&mut connection, n);
        }
        connection.pass(secs(31));
        for n in 3..5 {
            publish(&mut connection, n);
        }
        connection.set_room(usize::MAX);
        let seen: Vec<_> = connection.take().chunks(3).map(|frame| frame[2]).collect();
        assert_eq!(seen, expected, "{policy:?}");
        publish(&mut connection, 9);
        assert_eq!(connection.take(), [0x82, 1, 9], "it moves again");
    }
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default().ping_interval(None));
    connection.set_room(1);
    connection.hub.in_namespace("/room").broadcast("x").unwrap();
    connection.settle();
    connection.pass(secs(31));
    assert_eq!(ends.lock().unwrap()[0].code, 1013);
}

#[test]
fn a_dead_client_is_found_although_a_message_waits_for_its_hook() {
    let (hooks, ends) = recording();
    let hooks = hooks.on_message(|peer, _| async move { peer.closed().await });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x81, b"stuck").repeat(2));
    connection.pass(secs(28));
    connection.pass(secs(21));
    assert_eq!(ends.lock().unwrap()[0].by, ClosedBy::Timeout);
}

#[test]
fn limits_of_nothing_still_let_one_message_in() {
    let limits = Limits::default().max_inbound(0);
    let mut connection = Connection::open(echo(), limits);
    connection.receive(&frame(0x81, b"one").repeat(3));
    assert_eq!(connection.take(), b"\x81\x03one".repeat(3));
}

#[test]
fn a_close_behind_what_is_not_read_has_its_deadline() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.set_room(10);
    connection
        .hub
        .in_namespace("/room")
        .broadcast(vec![7; 100_000])
        .unwrap();
    connection.settle();
    connection
        .hub
        .in_namespace("/room")
        .close_all(crossws_core::CloseCode::NORMAL);
    connection.settle();
    // Neither a trickle nor the client's own bytes extend it.
    for _ in 0..6 {
        connection.set_room(10);
        connection.receive(&frame(0x8a, b""));
        connection.pass(secs(1));
    }
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1000, ClosedBy::Server, false)
    );
    assert!(connection.over && connection.world().aborted);
}

#[test]
fn one_message_of_any_size_fits_into_an_empty_queue() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    for size in [1 << 20, (1 << 20) + 1, 3 << 20] {
        let told = connection
            .hub
            .in_namespace("/room")
            .broadcast(vec![7; size])
            .unwrap();
        assert_eq!((told.queued, told.dropped), (1, 0));
        assert_eq!(connection.take().len(), size + 10);
    }
    assert!(ends.lock().unwrap().is_empty());
}

#[test]
fn an_age_of_nothing_is_not_endless() {
    for policy in [Overflow::Close, Overflow::DropNewest, Overflow::DropOldest] {
        let limits = Limits::default()
            .overflow(policy)
            .max_queue_age(Duration::ZERO);
        let mut connection = Connection::open(hooks(), limits);
        connection.set_room(1);
        connection.hub.in_namespace("/room").broadcast("x").unwrap();
        connection.settle();
        connection.pass(secs(1));
    }
}

#[test]
fn a_frame_that_announces_everything_is_too_big_although_messages_have_no_bound() {
    let (hooks, ends) = recording();
    let limits = Limits::default().max_message_size(crossws_core::Limit::Unlimited);
    let mut connection = Connection::open(hooks, limits);
    let mut header = vec![0x82, 0xff];
    header.extend((u64::MAX >> 1).to_be_bytes());
    header.extend([0; 4]);
    connection.receive(&header);
    assert!(connection.take().starts_with(b"\x88\x11\x03\xf1"));
    assert_eq!(ends.lock().unwrap()[0].code, 1009);
}

#[test]
fn a_client_that_reads_slowly_but_steadily_is_not_silent() {
    let (hooks, ends) = recording();
    let mut connection = Connection::open(hooks, Limits::default());
    connection.set_room(0);
    connection
        .hub
        .in_namespace("/room")
        .broadcast(vec![7; 1_000_000])
        .unwrap();
    connection.settle();
    for _ in 0..49 {
        connection.set_room(20_000);
        connection.pass(secs(1));
    }
    assert!(ends.lock().unwrap().is_empty());
    connection.set_room(usize::MAX);
    assert!(
        connection.take().ends_with(b"\x89\x00"),
        "the ping came behind it"
    );
    // It stood behind a full socket.
    connection.pass(secs(49));
    assert!(ends.lock().unwrap().is_empty());
    connection.pass(secs(2));
    assert_eq!(ends.lock().unwrap()[0].by, ClosedBy::Timeout);
}

#[test]
fn a_spawned_future_runs_although_messages_never_stop() {
    let polled = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&polled);
    let count = Arc::new(AtomicUsize::new(0));
    let hooks = hooks().on_message(move |peer, _| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            let (seen, count) = (Arc::clone(&seen), Arc::clone(&count));
            peer.spawn(async move { seen.store(count.load(Ordering::SeqCst), Ordering::SeqCst) });
        }
        async {}
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x81, b"").repeat(5000));
    assert!((1..200).contains(&polled.load(Ordering::SeqCst)));
}

#[test]
fn an_illegal_close_code_is_the_clients_error() {
    let (hooks, ends) = recording();
    let failed = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&failed);
    let hooks = hooks.on_error(move |_, _| {
        seen.fetch_add(1, Ordering::SeqCst);
        async { crossws_core::OnError::Keep }
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x88, &1005u16.to_be_bytes()));
    assert!(connection.take().starts_with(b"\x88\x10\x03\xea"));
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1002, ClosedBy::Server, false)
    );
    assert_eq!(failed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_terminate_while_the_clients_end_is_awaited_does_not_wait() {
    let kept = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&kept);
    let hooks = hooks().on_open(move |peer| {
        *seen.lock().unwrap() = Some(peer);
        async {}
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x88, b""));
    assert!(!connection.over);
    let peer = kept.lock().unwrap().take().unwrap();
    peer.terminate();
    connection.settle();
    assert!(connection.over && connection.world().aborted);
}

#[test]
fn durations_beyond_the_clock_are_as_good_as_none() {
    let limits = Limits::default()
        .ping_interval(Duration::MAX)
        .max_lifetime(Duration::MAX)
        .close_timeout(Duration::MAX)
        .max_queue_age(Duration::MAX)
        .upgrade_timeout(Duration::MAX);
    let mut connection = Connection::open(echo(), limits);
    connection.receive(&frame(0x81, b"fine"));
    assert_eq!(connection.take(), b"\x81\x04fine");
    connection.receive(&frame(0x88, b""));
    assert_eq!(connection.take(), b"\x88\x00");
    connection.end_input();
    assert!(connection.over);
}

#[test]
fn a_client_that_never_pauses_is_written_to_and_lets_others_run() {
    let limits = Limits::default().max_message_size(100);
    let heard = Arc::new(AtomicUsize::new(0));
    let hooks = {
        let heard = Arc::clone(&heard);
        hooks().on_message(move |_, _: crossws_core::Message| {
            heard.fetch_add(1, Ordering::SeqCst);
            async {}
        })
    };
    let mut connection = Connection::open(hooks, limits);
    connection.settle();
    for _ in 0..10_000 {
        connection.world().input.push_back(frame(0x82, &[7; 100]));
    }
    connection.world().writes = 0;
    connection
        .hub
        .in_namespace("/room")
        .broadcast("news")
        .unwrap();
    let waker = connection.world().read_waker.take().unwrap();
    waker.wake();
    connection.poll();
    assert_eq!(connection.world().writes, 1);
    let heard = heard.load(Ordering::SeqCst);
    assert!(heard < 200, "{heard} messages in one go");
}

/// A compressed message that inflates to so many bytes.
fn bomb(size: usize) -> Vec<u8> {
    let mut payload = Vec::with_capacity(size);
    flate2::Compress::new(flate2::Compression::best(), false)
        .compress_vec(&vec![0; size], &mut payload, flate2::FlushCompress::Sync)
        .unwrap();
    payload.truncate(payload.len() - 4);
    let mut bomb = vec![0xc2, 0xfe];
    bomb.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bomb.extend([0; 4]);
    bomb.extend(payload);
    bomb
}

#[test]
fn messages_that_inflate_to_the_largest_let_others_run() {
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    let hooks = hooks().on_message(move |_, message: crossws_core::Message| {
        counted.fetch_add(message.len(), Ordering::SeqCst);
        async {}
    });
    let mut connection = Connection::compressed(hooks, Deflate::default());
    let size = 1 << 20;
    let bomb = bomb(size);
    connection.arrive(&bomb.repeat(32));
    assert!(connection.poll());
    let inflated = heard.load(Ordering::SeqCst);
    assert!(inflated <= 5 * size, "{inflated} bytes in one go");
    connection.settle();
    assert_eq!(heard.load(Ordering::SeqCst), 32 * size);
}

#[test]
fn messages_that_inflate_for_nobody_let_others_run() {
    let mut connection = Connection::compressed(hooks(), Deflate::default());
    let namespace = connection.hub.in_namespace("/room");
    namespace.close_all(crossws_core::CloseCode::NORMAL);
    connection.settle();
    let bomb = bomb(1 << 20);
    connection.world().input.extend(vec![bomb.clone(); 32]);
    connection.arrive(&bomb);
    let reads = connection.world().reads;
    assert!(connection.poll(), "it comes back");
    let reads = connection.world().reads - reads;
    assert!(reads <= 5, "{reads} of them in one go");
    // Nor do those of one read run all at once.
    connection.settle();
    let wakes = connection.wakes.0.load(Ordering::SeqCst);
    connection.receive(&[bomb.repeat(32), frame(0x88, &CLOSE)].concat());
    let wakes = connection.wakes.0.load(Ordering::SeqCst) - wakes;
    assert!(wakes >= 32 / 5, "{wakes} turns for all of them");
    assert!(connection.world().shut_down, "the close is complete");
}

/// Returns how a connection ended and how many of its messages reached a hook, if every write fails
/// while a burst of 200 and `last` has been read.
fn broken_with(last: &[u8], limits: Limits) -> (Closed, usize) {
    let (hooks, ends) = recording();
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    let hooks = hooks.on_message(move |peer, message| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { peer.send(message) }
    });
    let mut connection = Connection::open(hooks, limits);
    connection.world().broken = true;
    let burst = frame(0x81, b"hello").repeat(200);
    connection.receive(&[&burst, last].concat());
    assert!(connection.over);
    let end = ends.lock().unwrap().remove(0);
    (end, heard.load(Ordering::SeqCst))
}

#[test]
fn what_was_read_is_heard_although_nothing_can_be_written() {
    // With a message behind it that never becomes whole.
    let (closed, heard) = broken_with(&frame(0x81, b"lost")[..7], Limits::default());
    assert_eq!((closed.by, closed.code), (ClosedBy::Network, 1006));
    assert_eq!(heard, 200);
    // Nor does a queue that is full hold it back.
    let (closed, heard) = broken_with(&[], Limits::default().max_queued(1));
    assert_eq!(closed.by, ClosedBy::Network);
    assert_eq!(heard, 200);
}

#[test]
fn a_close_frame_that_was_read_counts_although_nothing_can_be_written() {
    let (closed, heard) = broken_with(&frame(0x88, &CLOSE), Limits::default());
    assert_eq!((closed.by, closed.code), (ClosedBy::Client, 1000));
    assert!(!closed.clean, "it has no answer");
    assert_eq!(heard, 200);
}

#[test]
fn a_violation_behind_a_broken_stream_is_its_end() {
    let (closed, heard) = broken_with(&frame(0x83, b"reserved"), Limits::default());
    assert_eq!((closed.by, closed.code), (ClosedBy::Network, 1006));
    assert_eq!(heard, 200);
}

#[test]
fn too_many_control_frames_behind_a_broken_stream_are_its_end() {
    let pings = frame(0x89, b"").repeat(200);
    let (closed, heard) = broken_with(&pings, Limits::default());
    assert_eq!((closed.by, closed.code), (ClosedBy::Network, 1006));
    assert_eq!(heard, 200);
}

#[test]
fn a_client_that_had_to_pause_is_read_again_when_this_side_closes() {
    let waits = hooks().on_message(|_, _| std::future::pending::<()>());
    let mut connection = Connection::open(waits, Limits::default().max_inbound(2));
    connection.receive(&frame(0x81, b"stuck").repeat(5));
    let namespace = connection.hub.in_namespace("/room");
    namespace.close_all(crossws_core::CloseCode::NORMAL);
    assert_eq!(connection.take(), b"\x88\x02\x03\xe8");
    let wakes = connection.wakes.0.load(Ordering::SeqCst);
    connection.arrive(&frame(0x88, &CLOSE));
    assert!(connection.wakes.0.load(Ordering::SeqCst) > wakes);
    connection.settle();
    assert!(connection.world().shut_down, "the close is complete");
}

#[test]
fn a_client_that_is_not_heard_any_more_and_never_pauses_lets_others_run() {
    let mut connection = Connection::open(hooks(), Limits::default());
    connection.settle();
    let namespace = connection.hub.in_namespace("/room");
    namespace.close_all(crossws_core::CloseCode::NORMAL);
    connection.arrives_without_end(&frame(0x82, &[7; 100]));
    connection.pass(secs(5));
    assert!(connection.over && connection.world().aborted);
}

#[test]
fn what_follows_the_end_lets_others_run() {
    let mut connection = Connection::open(hooks(), Limits::default());
    connection.receive(&frame(0x88, &CLOSE));
    assert!(connection.world().shut_down && !connection.over);
    connection.arrives_without_end(b"on and on");
    connection.end_input();
    assert!(connection.over && !connection.world().aborted);
}

#[test]
fn a_large_message_lets_others_run_although_a_hook_waits() {
    let limits = Limits::default().max_message_size(crossws_core::Limit::Unlimited);
    let hooks = hooks().on_message(|_, _| std::future::pending::<()>());
    let mut connection = Connection::open(hooks, limits);
    connection.receive(&frame(0x81, b"stuck"));
    let mut header = vec![0x82, 0xff];
    header.extend((1_u64 << 40).to_be_bytes());
    header.extend([0; 4]);
    connection.receive(&header);
    connection.arrives_without_end(&[7; 100]);
}

#[test]
fn a_client_that_takes_all_answers_at_once_lets_others_run() {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&asked);
    // Each answer makes the next question wait until it is written.
    let hooks = hooks().on_message(move |peer, _| {
        seen.fetch_add(1, Ordering::SeqCst);
        async move { peer.send(vec![7; 600]) }
    });
    let mut connection = Connection::open(hooks, Limits::default().max_buffered(1000));
    for _ in 0..1000 {
        connection.arrive(&frame(0x81, b"ask"));
    }
    connection.poll();
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked < 200, "{asked} messages in one go");
}

#[test]
fn a_room_that_never_pauses_lets_others_run() {
    let mut connection = Connection::open(hooks(), Limits::default());
    let hub = connection.hub.clone();
    let left = AtomicUsize::new(10_000);
    connection.world().meanwhile = Some(Box::new(move || {
        if left.fetch_sub(1, Ordering::SeqCst) > 1 {
            hub.in_namespace("/room").broadcast("more").unwrap();
        }
    }));
    let room = connection.hub.in_namespace("/room");
    room.broadcast("news").unwrap();
    let writes = connection.world().writes;
    assert!(connection.poll(), "it comes back");
    let writes = connection.world().writes - writes;
    assert!(writes < 200, "{writes} writes in one go");
    assert_eq!(connection.take().len(), 10_000 * 6);
    connection.world().meanwhile = None;
}
