use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use crossws_core::{CloseFrame, Limits};
use crossws_native::Io;
use crossws_proto::deflate::Deflater;
use crossws_proto::engine::{self, Decoder, Opcode, Role, put_masked_close, put_masked_frame};
use crossws_proto::handshake::Agreed;

use crate::platform::{Event, Socket};
use crate::shared::{Out, Shared};
use crate::wire::no_random;

/// The size of a read.
const READ: usize = 64 << 10;

/// At most this many reads of one turn complete no message.
const READS: usize = 16;

/// At most about this much is encoded before it is written: a message more.
const BATCH: usize = 64 << 10;

thread_local! {
    /// What a read goes into. An idle connection owns no buffer.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Frames over a stream.
pub(super) struct WireSocket<I> {
    io: I,
    decoder: Decoder,
    deflater: Option<Deflater>,
    /// Bytes that arrived and are not decoded, from `decoded` on.
    input: Vec<u8>,
    decoded: usize,
    /// Encoded frames.
    out: BytesMut,
    /// Bytes that have been read, and written.
    received: u64,
    written: u64,
    /// Whether the server's last frame has been decoded, or it broke a rule.
    over: bool,
    /// Whether the last frame, a close, is among the encoded ones.
    closing: bool,
    /// Whether the writing side has been ended.
    shut: bool,
}

impl<I: Io> WireSocket<I> {
    pub(super) fn new(io: I, agreed: Agreed, limits: &Limits, early: Vec<u8>) -> Self {
        Self {
            io,
            deflater: agreed.deflate().map(Deflater::new),
            decoder: agreed.into_decoder(Role::Client, limits),
            input: early,
            decoded: 0,
            out: BytesMut::new(),
            received: 0,
            written: 0,
            over: false,
            closing: false,
            shut: false,
        }
    }

    /// Decodes what has arrived.
    fn next(&mut self) -> Option<Event> {
        let mut bytes = self.input.get_mut(self.decoded..).unwrap_or_default();
        let before = bytes.len();
        let event = decode(&mut self.decoder, &mut bytes);
        self.decoded += before - bytes.len();
        if event.is_none() {
            self.input = Vec::new();
            self.decoded = 0;
        }
        event
    }

    /// Reads once, and decodes the first event. What follows it is kept.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(READ, 0);
            let count = match ready!(self.io.poll_read(cx, buffer)) {
                Ok(0) => return Poll::Ready(Some(Event::End)),
                Ok(count) => {
                    self.received = self.received.wrapping_add(count as u64);
                    count
                }
                Err(error) => {
                    tracing::debug!(%error, "a client cannot read");
                    return Poll::Ready(Some(Event::End));
                }
            };
            if self.over {
                return Poll::Ready(None);
            }
            let mut bytes = buffer.get_mut(..count).unwrap_or_default();
            let event = decode(&mut self.decoder, &mut bytes);
            if event.is_some() && !bytes.is_empty() {
                self.input.extend_from_slice(bytes);
            }
            Poll::Ready(event)
        })
    }

    /// Encodes waiting frames.
    fn encode(&mut self, shared: &Shared) -> io::Result<()> {
        let mut state = shared.lock();
        while self.out.len() < BATCH && !self.closing {
            let Some(frame) = state.pop() else {
                break;
            };
            self.put(frame).map_err(no_random)?;
        }
        state.writing = self.out.len();
        Ok(())
    }

    fn put(&mut self, frame: Out) -> Result<(), getrandom::Error> {
        let out = &mut self.out;
        match frame {
            Out::Message(message) => {
                let (opcode, payload) = (Opcode::from(&message), message.as_bytes());
                let compressed = match &mut self.deflater {
                    Some(deflater) => deflater.put_masked_frame(opcode, payload, out)?,
                    None => false,
                };
                match compressed {
                    true => Ok(()),
                    false => put_masked_frame(out, opcode, payload),
                }
            }
            Out::Ping(data) => put_masked_frame(out, Opcode::Ping, &data),
            Out::Pong(data) => put_masked_frame(out, Opcode::Pong, &data),
            Out::Close(frame) => {
                self.closing = true;
                put_masked_close(out, frame.as_ref())
            }
        }
    }
}

impl<I: Io> Socket for WireSocket<I> {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if !self.input.is_empty()
            && !self.over
            && let Some(event) = self.next()
        {
            self.over = is_last(&event);
            return Poll::Ready(event);
        }
        for _ in 0..READS {
            if let Some(event) = ready!(self.poll_read(cx)) {
                self.over |= is_last(&event);
                return Poll::Ready(event);
            }
        }
        // A server that sends fast, and completes no message, leaves other tasks their turns.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<io::Result<()>> {
        let had = !self.out.is_empty();
        loop {
            if self.out.is_empty() {
                self.encode(shared)?;
            }
            if self.out.is_empty() {
                break;
            }
            let count = ready!(self.io.poll_write_vectored(cx, &[IoSlice::new(&self.out)]))?;
            if count == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.written = self.written.wrapping_add(count as u64);
            self.out.advance(count);
        }
        if self.out.capacity() > BATCH {
            self.out = BytesMut::new();
        }
        if had {
            shared.set_writing(0);
        }
        ready!(self.io.poll_flush(cx))?;
        if self.closing && !self.shut && self.over {
            // Both close frames are on their way: nothing follows ours.
            ready!(self.io.poll_shutdown(cx))?;
            self.shut = true;
        }
        Poll::Ready(Ok(()))
    }

    fn received(&self) -> u64 {
        self.received
    }

    fn written(&self) -> u64 {
        self.written
    }

    fn is_inside_message(&self) -> bool {
        self.decoder.unfinished() > 0
    }
}

fn is_last(event: &Event) -> bool {
    matches!(event, Event::Close(_) | Event::Violation(_) | Event::End)
}

fn decode(decoder: &mut Decoder, bytes: &mut &mut [u8]) -> Option<Event> {
    Some(match decoder.decode(bytes) {
        Ok(None) => return None,
        Ok(Some(engine::Event::Message(message))) => Event::Message(message),
        Ok(Some(engine::Event::Ping(data))) => Event::Ping(data),
        Ok(Some(engine::Event::Pong(_))) => Event::Pong,
        Ok(Some(engine::Event::Close(frame))) => Event::Close(frame),
        Err(violation) => Event::Violation(CloseFrame::new(violation.code(), violation.reason())),
    })
}
