//! A connection without a socket: the test is its driver.

// Helpers here unwrap as the tests do.
#![allow(clippy::unwrap_used)]

use std::io::IoSlice;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use crossws_core::http::Request;
use crossws_core::{
    CloseCode, CloseFrame, Closed, ClosedBy, Hub, Limits, Message, Overflow, UpgradeRequest, hooks,
};
use futures_lite::future::block_on;

use super::phase::{Change, Phase};
use super::{Connection, Step, Transmit};
use crate::frame::{
    ClientFrame, Decoder, Event, Opcode, Role, ServerFrame, Violation, put_close, put_masked_close,
    put_masked_frame,
};
use crate::outbox::{Batch, Clock, Outbox};

struct Zero;

impl Clock for Zero {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A connection without a peer, and what its client has received.
struct Subject {
    connection: Connection<Outbox<ServerFrame, Zero>>,
    now: Duration,
    writing: Batch<ServerFrame>,
    client: Decoder,
    /// How many bytes the client takes.
    room: usize,
    seen: Vec<Event>,
    last: Transmit,
}

impl Subject {
    fn new(limits: Limits) -> Self {
        let hub = Hub::builder().limits(limits.clone()).build();
        let request = UpgradeRequest::new(Request::get("/").body(()).unwrap().into_parts().0);
        // Neither waits for anything.
        let claim = block_on(hub.claim(&Arc::new(hooks()), request)).unwrap();
        let accepted = block_on(claim.upgrade()).unwrap();
        let outbox = Arc::new(Outbox::new(&limits, Zero));
        let decoder = Decoder::new(Role::Server, &limits);
        Self {
            connection: Connection::new(outbox, &accepted, decoder),
            now: Duration::ZERO,
            writing: Batch::default(),
            client: Decoder::new(Role::Client, &Limits::default()),
            room: usize::MAX,
            seen: Vec::new(),
            last: Transmit::Nothing,
        }
    }

    /// Passes bytes to the connection. Returns the steps that follow.
    fn receive(&mut self, bytes: &[u8]) -> Vec<Step> {
        assert!(self.connection.wants_read());
        self.connection.received();
        let mut bytes = bytes.to_vec();
        let mut rest = &mut bytes[..];
        let now = self.now;
        let steps = std::iter::from_fn(|| self.connection.next(&mut rest, || now));
        let mut seen = Vec::new();
        for step in steps {
            let is_last = matches!(step, Step::Closed);
            seen.push(step);
            if is_last {
                break;
            }
        }
        seen
    }

    /// Writes what the client takes, and decodes it as the client does.
    fn transmit(&mut self) {
        loop {
            let now = self.now;
            self.last = self.connection.poll_transmit(&mut self.writing, || now);
            if self.last != Transmit::Write {
                return;
            }
            let mut slices = [std::io::IoSlice::new(&[])];
            self.writing.slices(&mut slices);
            let mut bytes = slices[0]
                .iter()
                .copied()
                .take(self.room)
                .collect::<Vec<_>>();
            if bytes.is_empty() {
                self.connection.queue().must_wait();
                return self.connection.write_waits(now);
            }
            self.room -= bytes.len();
            self.writing.advance(bytes.len());
            self.connection.queue().written(&self.writing);
            self.connection.wrote();
            let mut rest = &mut bytes[..];
            while let Some(event) = self.client.decode(&mut rest).unwrap() {
                self.seen.push(event);
            }
        }
    }

    /// Moves on to the next deadline.
    fn pass(&mut self) {
        let deadline = self.connection.poll_timeout(self.now, SystemTime::now);
        self.now = deadline.unwrap();
        self.connection.handle_timeout(self.now);
        self.transmit();
    }

    fn received_close(&self) -> Option<CloseCode> {
        match self.seen.last() {
            Some(Event::Close(frame)) => frame.as_ref().map(CloseFrame::code),
            _ => None,
        }
    }
}

fn frame(opcode: Opcode, payload: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    put_masked_frame(&mut bytes, opcode, payload).unwrap();
    bytes
}

fn close_frame(code: CloseCode) -> BytesMut {
    let mut bytes = BytesMut::new();
    put_masked_close(&mut bytes, Some(&code.into())).unwrap();
    bytes
}

#[test]
fn a_ping_is_answered_and_a_message_is_a_step() {
    let mut subject = Subject::new(Limits::default());
    let mut bytes = frame(Opcode::Ping, b"are you there?");
    bytes.extend_from_slice(&frame(Opcode::Text, b"hello"));
    let steps = subject.receive(&bytes);
    assert!(
        matches!(&steps[..], [Step::Ping(_), Step::Message(text)] if *text == Message::from("hello"))
    );
    subject.transmit();
    assert_eq!(subject.seen, [Event::Pong("are you there?".into())]);
    assert_eq!(subject.last, Transmit::Flush);
}

#[test]
fn a_clients_close_frame_gets_its_reply_and_then_the_writing_side_ends() {
    let mut subject = Subject::new(Limits::default());
    let steps = subject.receive(&close_frame(CloseCode::NORMAL));
    assert!(matches!(steps[..], [Step::Closed]));
    subject.transmit();
    assert_eq!(subject.received_close(), Some(CloseCode::NORMAL));
    assert_eq!(subject.last, Transmit::Shutdown);
    assert!(subject.connection.is_settled());
    subject.connection.shut(0, subject.now);
    assert!(subject.connection.wants_discard());
    subject.connection.lost();
    let closed = subject.connection.closed();
    assert!(subject.connection.is_over() && closed.clean);
    assert_eq!(closed.by, ClosedBy::Client);
}

#[test]
fn a_close_without_an_answer_ends_at_its_deadline() {
    let mut subject = Subject::new(Limits::default().close_timeout(secs(3)));
    let outbox = Arc::clone(subject.connection.queue());
    outbox.close_with(Some(CloseCode::AWAY.into()));
    subject.transmit();
    assert_eq!(subject.received_close(), Some(CloseCode::AWAY));
    assert!(subject.connection.wants_read());
    subject.pass();
    assert_eq!((subject.now, subject.last), (secs(3), Transmit::Abort));
    let closed = subject.connection.closed();
    assert_eq!((closed.by, closed.clean), (ClosedBy::Server, false));
    // The stream is dropped once.
    subject.transmit();
    assert_eq!(subject.last, Transmit::Nothing);
}

#[test]
fn a_broken_rule_ends_with_its_code_and_an_error() {
    let mut subject = Subject::new(Limits::default());
    // A client's frame that is not masked.
    let steps = subject.receive(b"\x81\x01x");
    assert!(matches!(steps[..], [Step::Failed(_), Step::Closed]));
    subject.transmit();
    assert_eq!(subject.received_close(), Some(CloseCode::PROTOCOL));
    assert!(!subject.connection.wants_read());
}

#[test]
fn a_client_that_takes_nothing_is_closed_as_slow_between_two_frames() {
    let limits = Limits::default().max_queued(2).overflow(Overflow::Close);
    let mut subject = Subject::new(limits);
    let outbox = Arc::clone(subject.connection.queue());
    let send = |text: &'static str| {
        let push = |batch: &mut Batch<_>| batch.push(Opcode::Text, &text.into());
        outbox.enqueue(text.len(), push)
    };
    send("begun");
    subject.room = 4;
    subject.transmit();
    for text in ["1", "2", "3"] {
        send(text);
    }
    assert!(outbox.settle(|_| Some(false)).closed);
    subject.room = usize::MAX;
    subject.transmit();
    let [Event::Message(begun), Event::Close(Some(close))] = &subject.seen[..] else {
        panic!("{:?}", subject.seen);
    };
    assert!(*begun == Message::from("begun") && close.code() == CloseCode::TRY_AGAIN);
    assert_eq!(subject.last, Transmit::Shutdown);
}

#[test]
fn a_silent_client_is_pinged_then_dropped() {
    let mut subject = Subject::new(Limits::default());
    assert!(subject.receive(b"").is_empty());
    subject.pass();
    assert_eq!(subject.seen, [Event::Ping("".into())]);
    subject.pass();
    assert_eq!(subject.received_close(), Some(CloseCode::TIMEOUT));
    assert_eq!(subject.connection.closed().by, ClosedBy::Timeout);
}

#[test]
fn a_clients_end_names_the_sides_from_its_own_place() {
    let client = || {
        let outbox = Arc::new(Outbox::<ClientFrame, Zero>::new(&Limits::default(), Zero));
        let decoder = Decoder::new(Role::Client, &Limits::default());
        Connection::client(outbox, Hub::default(), decoder)
    };
    let mut close = BytesMut::new();
    put_close(&mut close, Some(&CloseCode::AWAY.into()));
    let receive = |client: &mut Connection<_>| {
        client.received();
        let mut bytes = close.to_vec();
        let step = client.next(&mut &mut bytes[..], || Duration::ZERO);
        assert!(matches!(step, Some(Step::Closed)));
        (client.closed().by, client.closed().clean)
    };
    // The server's close is answered, masked.
    let mut answers = client();
    assert_eq!(receive(&mut answers), (ClosedBy::Server, true));
    let mut batch = Batch::default();
    let next = answers.poll_transmit(&mut batch, || Duration::ZERO);
    let mut slices = [IoSlice::new(&[])];
    assert_eq!((next, batch.slices(&mut slices)), (Transmit::Write, 1));
    let mut sent = slices[0].to_vec();
    let mut server = Decoder::new(Role::Server, &Limits::default());
    let Ok(Some(Event::Close(Some(answer)))) = server.decode(&mut &mut sent[..]) else {
        panic!("{sent:?}");
    };
    assert_eq!(answer.code(), CloseCode::AWAY);
    // And this side's own.
    let mut begins = client();
    begins.queue().close_with(Some(CloseCode::NORMAL.into()));
    begins.poll_transmit(&mut Batch::default(), || Duration::ZERO);
    assert_eq!(receive(&mut begins), (ClosedBy::Client, true));
}

#[test]
fn the_first_record_of_an_end_counts_and_nothing_follows_the_last() {
    let ended = |by| Change::Ended {
        closed: Closed::lost(by),
        deadline: secs(1),
        settled: false,
    };
    let mut phase = Phase::Open;
    assert!(phase.transition(Change::ClosedHere(CloseCode::AWAY.into(), secs(1))));
    let violation = Violation::protocol("too late");
    assert!(!phase.transition(Change::Broke(violation, secs(1))));
    assert!(matches!(phase, Phase::Closing { .. }));
    assert!(!phase.transition(ended(ClosedBy::Timeout)));
    assert!(!phase.transition(ended(ClosedBy::Server)));
    assert!(!phase.transition(Change::Shut(secs(2), 0)));
    assert!(!phase.transition(ended(ClosedBy::Server)));
    assert!(matches!(phase, Phase::Lingering { .. }));
    assert!(!phase.transition(Change::Gone(Closed::lost(ClosedBy::Network))));
    assert!(!phase.transition(Change::Dropped(Closed::lost(ClosedBy::Network))));
    assert!(matches!(phase, Phase::Over { abort: false, .. }));
    assert_eq!(
        phase.closed().map(|closed| closed.by),
        Some(ClosedBy::Timeout)
    );
}
