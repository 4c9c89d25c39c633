#![allow(clippy::unwrap_used, clippy::panic)]

use std::task::Waker;

use crossws_core::{CloseCode, Limits, Sent};
use crossws_proto::frame::{Event, Role, put_close, put_frame};

use super::*;
use crate::status::Status;
use crate::{WhenClosed, WhileConnecting};

/// A stream that takes everything, and never has anything to read.
#[derive(Default)]
struct Written(Arc<Mutex<Vec<Vec<u8>>>>);

impl Pipe for Written {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        let count = bytes.len();
        self.0.lock().push(bytes);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn shared(limits: &Limits) -> Shared {
    let (limits, when) = (limits.clone(), WhileConnecting::default());
    Shared::new(limits, when, WhenClosed::default())
}

/// Returns an open connection over this stream, with what arrived early.
fn open<P: Pipe>(pipe: P, limits: &Limits, early: Vec<u8>) -> (Framed<P>, Shared) {
    let decoder = Decoder::new(Role::Client, limits);
    let framed = Framed::new(pipe, decoder, None, limits, early);
    let shared = shared(limits);
    shared.set_status(Status::Open, |_| ());
    (framed, shared)
}

/// Sends back every message of `early`. Returns what was written, in writes.
fn echo(limits: &Limits, early: Vec<u8>) -> Vec<Vec<u8>> {
    let pipe = Written::default();
    let written = Arc::clone(&pipe.0);
    let (mut framed, shared) = open(pipe, limits, early);
    let mut cx = Context::from_waker(Waker::noop());
    let now = Duration::ZERO;
    while let Poll::Ready(message) = framed.poll_message(&mut cx, &shared, true, now) {
        let sent = shared.send(message).unwrap();
        assert!(matches!(sent, Sent::Queued { .. }));
    }
    let _ = framed.poll_write(&mut cx, &shared, now);
    let written = written.lock();
    written.clone()
}

/// Returns what a client has written, as its server reads it.
fn read(writes: &[Vec<u8>]) -> Vec<String> {
    let mut bytes = writes.concat();
    let mut input = &mut bytes[..];
    let mut decoder = Decoder::new(Role::Server, &Limits::default());
    let mut read = Vec::new();
    while let Some(event) = decoder.decode(&mut input).unwrap() {
        read.push(match event {
            Event::Message(message) => message.to_string(),
            Event::Close(frame) => format!("{frame:?}"),
            other => panic!("{other:?}"),
        });
    }
    read
}

fn burst(count: usize) -> (Vec<u8>, Vec<String>) {
    let texts: Vec<_> = (0..count)
        .map(|number| format!("number {number}"))
        .collect();
    let mut early = Vec::new();
    for text in &texts {
        put_frame(&mut early, Opcode::Text, text.as_bytes());
    }
    (early, texts)
}

#[test]
fn the_answers_to_a_burst_are_one_write() {
    let (early, texts) = burst(64);
    let writes = echo(&Limits::default(), early);
    assert_eq!(writes.len(), 1);
    assert_eq!(read(&writes), texts);
}

#[test]
fn a_short_queue_has_room_for_the_answers_to_a_burst() {
    for most in [1, 2, 5] {
        let (early, texts) = burst(64);
        let limits = Limits::default().max_queued(most);
        assert_eq!(read(&echo(&limits, early)), texts, "{most}");
    }
}

#[test]
fn the_answer_to_the_last_message_leaves_before_that_to_the_close() {
    let (mut early, mut texts) = burst(2);
    put_close(&mut early, None);
    put_frame(&mut early, Opcode::Text, b"too late");
    let read = read(&echo(&Limits::default(), early));
    texts.push("None".into());
    assert_eq!(read, texts);
}

/// A stream that takes nothing.
struct Stuck;

impl Pipe for Stuck {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[test]
fn what_a_client_sends_counts_with_its_header_before_and_after_a_connection_takes_it() {
    for len in [0, 125, 126, 0xffff, 0x1_0000] {
        let (mut framed, shared) = open(Stuck, &Limits::default(), Vec::new());
        let sent = shared.send(vec![7; len].into()).unwrap();
        let before = shared.lock().buffered();
        assert!(matches!(sent, Sent::Queued { bytes } if bytes == before));
        let mut cx = Context::from_waker(Waker::noop());
        let _ = framed.poll_write(&mut cx, &shared, Duration::ZERO);
        let state = shared.lock();
        assert!(state.out.is_empty());
        assert_eq!(state.buffered(), before, "{len}");
    }
}

#[test]
fn a_client_has_room_for_as_many_bytes_as_a_server() {
    let limits = Limits::default().max_buffered(20);
    let first = shared(&limits);
    assert!(first.send(vec![7; 21].into()).is_err());
    first.send("first".into()).unwrap();
    assert!(first.send(vec![7; 4].into()).is_err(), "11 and 10 bytes");
    first.send(vec![7; 3].into()).unwrap();
    let alone = shared(&limits);
    alone.send(vec![7; 20].into()).unwrap();
    assert!(alone.send("".into()).is_err());
}

/// A stream on which every write fails, and every read finds a message.
struct Broken;

impl Pipe for Broken {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let frame = b"\x81\x02on";
        buf[..frame.len()].copy_from_slice(frame);
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Returns how many messages of a server that sends on reach a client that cannot write, if a handle
/// closes it after this many.
fn heard_from_broken(close_after: usize) -> usize {
    let (mut framed, shared) = open(Broken, &Limits::default(), Vec::new());
    shared.send("lost".into()).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let (now, mut heard) = (Duration::ZERO, 0);
    let _ = framed.poll_write(&mut cx, &shared, now);
    while framed.closed().is_none() {
        if heard == close_after {
            shared.close(CloseCode::NORMAL.into());
        }
        match framed.poll_message(&mut cx, &shared, true, now) {
            Poll::Ready(_) => heard += 1,
            Poll::Pending => _ = framed.end_turn(),
        }
        assert!(heard < 10_000, "without an end");
    }
    assert_eq!(framed.closed().unwrap().by, ClosedBy::Network);
    heard
}

#[test]
fn a_client_that_cannot_write_hears_until_it_is_closed_and_no_more_than_some_reads() {
    assert_eq!(heard_from_broken(5), 5);
    assert_eq!(heard_from_broken(usize::MAX), 1_024);
}

#[test]
fn a_pong_that_the_runtime_has_not_seen_yet_is_in_time() {
    let (mut framed, shared) = open(Written::default(), &Limits::default(), Vec::new());
    let mut cx = Context::from_waker(Waker::noop());
    let mut pass = |to: Duration| {
        let due = framed.poll_timeout(to).unwrap();
        if due <= to {
            framed.handle_timeout(to);
        }
        assert!(framed.poll_message(&mut cx, &shared, true, to).is_pending());
        let _ = framed.poll_write(&mut cx, &shared, to);
        (framed.closed(), framed.poll_timeout(to))
    };
    let (_, ping) = pass(Duration::ZERO);
    let (_, pong) = pass(ping.unwrap());
    // The process is stopped. The timers of its runtime fire before it looks at its sockets.
    let late = pong.unwrap() + Duration::from_secs(600);
    let (closed, until) = pass(late);
    assert_eq!(closed, None);
    let until = until.unwrap();
    assert_eq!(until - late, Duration::from_secs(1));
    let (closed, _) = pass(until);
    assert_eq!(closed.unwrap().by, ClosedBy::Timeout);
}
