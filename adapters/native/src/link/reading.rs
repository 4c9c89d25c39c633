//! In: from the socket through the engine to what waits for its hook.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use crossws_core::{CloseCode, CloseFrame, Closed, ClosedBy, Error, Lifeline};

use super::{Inbound, Link, Phase};
use crate::engine::{Event, Violation};
use crate::io::Io;
use crate::outlet::Outlet;
use crate::runtime::Runtime;

/// How much one read takes. The buffer belongs to the thread, so that an idle connection owns
/// none.
const SCRATCH: usize = 64 << 10;

/// Most bytes read and discarded after the close. Unread bytes would turn our FIN into a reset
/// that destroys the close frame on its way, and a client in the middle of a large message sends
/// all of it first. It costs no memory, and `close_timeout` bounds the time.
const LINGER_BYTES: usize = 64 << 20;

/// Room for so many messages that wait is made at once.
const BURST: usize = 16;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

impl<I: Io, R: Runtime> Link<I, R> {
    pub(super) fn read(&mut self) {
        loop {
            match self.phase {
                Phase::Open | Phase::Closing { .. } => {}
                Phase::Lingering { .. } => {
                    let outlet = Arc::clone(&self.outlet);
                    return self.linger(&mut outlet.lock());
                }
                Phase::Violated { .. } | Phase::Flushing { .. } | Phase::Done => return,
            }
            if !self.decode_backlog() || !self.outbox.take_readable() || !self.read_once() {
                return;
            }
        }
    }

    /// Decodes what was read before. Answers whether all of it is decoded, so that more may be
    /// read.
    pub(super) fn decode_backlog(&mut self) -> bool {
        if self.undecoded || !self.backlog.is_empty() {
            let mut backlog = std::mem::take(&mut self.backlog);
            let mut rest = &mut backlog[..];
            self.decode(&mut rest);
            let rest = rest.len();
            self.keep(backlog, rest);
        }
        self.backlog.is_empty() && !self.undecoded
    }

    /// Keeps the last `rest` bytes of a backlog for later.
    fn keep(&mut self, mut backlog: BytesMut, rest: usize) {
        if rest > 0 {
            backlog.advance(backlog.len() - rest);
            self.backlog = backlog;
        }
    }

    /// Reads once. Answers whether another read may give more.
    fn read_once(&mut self) -> bool {
        READ.with_borrow_mut(|scratch| {
            let mut cx = Context::from_waker(&self.read_waker);
            let read = self.outlet.lock().io.poll_read(&mut cx, scratch);
            match read {
                Poll::Pending => false,
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => {
                    self.lost();
                    false
                }
                Poll::Ready(Ok(count)) => {
                    // Not woken until a read has found nothing: there may be more.
                    self.outbox.set_readable();
                    self.heard = true;
                    let mut rest = scratch.get_mut(..count).unwrap_or_default();
                    self.undecoded = true;
                    self.decode(&mut rest);
                    self.backlog.extend_from_slice(rest);
                    true
                }
            }
        })
    }

    /// Decodes until more bytes are needed or enough messages wait.
    fn decode(&mut self, input: &mut &mut [u8]) {
        while matches!(self.phase, Phase::Open | Phase::Closing { .. }) {
            if self.is_full() {
                return;
            }
            match self.engine.decode(input) {
                Ok(Some(event)) => self.event(event),
                Ok(None) => {
                    self.undecoded = false;
                    return;
                }
                Err(violation) if matches!(self.phase, Phase::Open) => {
                    // What came before it is answered first, within the time of a close.
                    self.phase = Phase::Violated {
                        violation: Box::new(violation),
                        deadline: self.close_deadline(),
                    };
                }
                Err(violation) => self.violated(violation),
            }
        }
        // Nothing more is wanted from this client.
        self.undecoded = false;
        *input = &mut [];
    }

    /// Whether enough messages wait for their hooks. One may always wait, whatever the limits.
    fn is_full(&self) -> bool {
        let most = self.limits().max_inbound.get();
        let bytes = self.limits().max_message_size.get().saturating_mul(2);
        !self.inbound.is_empty() && (self.inbound.len() >= most || self.inbound_bytes >= bytes)
    }

    /// Whether the socket is left unread for want of room.
    pub(super) fn is_paused(&self) -> bool {
        self.is_full() || self.undecoded || !self.backlog.is_empty()
    }

    fn event(&mut self, event: Event) {
        let inbound = match event {
            Event::Message(message) => Inbound::Message(message),
            Event::Ping(data) => {
                self.outbox.answer_ping(data.clone());
                Inbound::Ping(data)
            }
            Event::Pong(data) => Inbound::Pong(data),
            Event::Close(frame) => return self.client_closed(frame),
        };
        if !matches!(inbound, Inbound::Message(_)) && !self.controls.admits(self.elapsed()) {
            let text = "too many control frames";
            return self.violated(Violation::new(CloseCode::POLICY, text));
        }
        // A peer that this side closed has nothing more to say.
        let closed_here = self.lifeline.as_ref().is_some_and(Lifeline::closed_here);
        if !closed_here && matches!(self.phase, Phase::Open) {
            self.inbound_bytes += inbound.len();
            if self.inbound.capacity() == 0 {
                // For a burst at once, instead of step by step.
                self.inbound
                    .reserve(self.limits().max_inbound.get().min(BURST));
            }
            self.inbound.push_back(inbound);
        }
    }

    fn client_closed(&mut self, frame: Option<CloseFrame>) {
        // This side may have closed a moment ago: then this is the answer.
        self.load(&mut Arc::clone(&self.outlet).lock());
        let ours = match &self.phase {
            Phase::Closing { frame, .. } => Some(CloseFrame::clone(frame)),
            _ => None,
        };
        match ours {
            Some(ours) => self.end(Closed::by_us(&ours, ClosedBy::Server, true)),
            None => {
                self.end(Closed::by_client(frame.as_ref()));
                self.outbox.close_with(frame);
            }
        }
        self.flush_and_end();
    }

    /// Fails the connection if the client broke a rule.
    pub(super) fn fail_violated(&mut self) {
        if let Phase::Violated { .. } = self.phase
            && let Phase::Violated { violation, .. } =
                std::mem::replace(&mut self.phase, Phase::Open)
        {
            self.violated(*violation);
        }
    }

    /// The client broke a rule: it is told which, and heard no more.
    fn violated(&mut self, violation: Violation) {
        // If this side closed a moment ago, that is how it ended, and no hook hears of more.
        self.load(&mut Arc::clone(&self.outlet).lock());
        let frame = match &self.phase {
            Phase::Closing { frame, .. } => CloseFrame::clone(frame),
            _ => {
                let frame = CloseFrame::new(violation.code(), violation.reason());
                self.outbox.close_with(Some(frame.clone()));
                let error = Error::protocol(violation);
                self.inbound.push_back(Inbound::Failed(error));
                frame
            }
        };
        self.end(Closed::by_us(&frame, ClosedBy::Server, false));
        self.flush_and_end();
    }

    /// The stream ended or failed.
    pub(super) fn lost(&mut self) {
        let closed = match &self.phase {
            Phase::Closing { frame, .. } => Closed::by_us(frame, ClosedBy::Server, false),
            _ => Closed::lost(ClosedBy::Network),
        };
        self.end(closed);
        self.phase = Phase::Done;
    }

    /// After our end: reads and forgets until the client ends too.
    pub(super) fn linger(&mut self, outlet: &mut Outlet<I>) {
        let Phase::Lingering { read, .. } = &mut self.phase else {
            return;
        };
        let over = READ.with_borrow_mut(|scratch| {
            let mut cx = Context::from_waker(&self.read_waker);
            loop {
                match outlet.io.poll_read(&mut cx, scratch) {
                    Poll::Pending => return false,
                    Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return true,
                    Poll::Ready(Ok(count)) => *read += count,
                }
                if *read > LINGER_BYTES {
                    return true;
                }
            }
        });
        if over {
            self.phase = Phase::Done;
        }
    }
}
