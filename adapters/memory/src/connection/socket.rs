//! One connection, seen from both ends: the counterpart of a socket and its buffers.

mod client;
mod server;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use bytes::BytesMut;
use crossws_core::adapter::sync::Mutex;
use crossws_core::{CloseFrame, Limit, Limits, PeerId};
use crossws_proto::deflate::Deflater;
use crossws_proto::frame::{Decoder, Role};
use crossws_proto::handshake::ClientHandshake;
use http::Response;

use crate::client::frame::Frame;
use crate::client::refusal::ConnectError;
use crate::time::clock::Clock;

pub(crate) struct Socket {
    clock: Arc<Clock>,
    state: Mutex<SocketState>,
}

struct SocketState {
    // ---- the server's end
    pump: Option<Waker>,
    /// No byte passes any more, in either direction.
    over: bool,

    // ---- on its way to the server, and not yet read by it
    network: BytesMut,

    // ---- the client's end
    /// What the client has offered, until the answer.
    offer: Option<ClientHandshake>,
    answer: Option<Result<Answer, ConnectError>>,
    decoder: Decoder,
    /// Compresses what the client sends, if that was agreed on.
    deflater: Option<Deflater>,
    /// The bytes that have arrived, if the test decodes them itself.
    raw: Option<BytesMut>,
    received: VecDeque<Frame>,
    reads: bool,
    auto_pong: bool,
    auto_close: bool,
    close_sent: bool,
    close_received: Option<Option<CloseFrame>>,
    vanished: bool,
    reader: Option<Waker>,
}

/// Returns a client's limits: it takes what the server sends.
fn no_limits() -> Limits {
    Limits::default()
        .max_message_size(Limit::Unlimited)
        .max_frame_size(Limit::Unlimited)
        .max_fragments(Limit::Unlimited)
}

/// The 101, and the client's identity from then on.
pub(crate) struct Answer {
    pub(crate) response: Response<()>,
    pub(crate) id: PeerId,
}

impl Socket {
    pub(crate) fn new(clock: Arc<Clock>, offer: Option<ClientHandshake>) -> Self {
        Self {
            clock,
            state: Mutex::new(SocketState {
                pump: None,
                over: false,
                network: BytesMut::new(),
                offer,
                answer: None,
                decoder: Decoder::new(Role::Client, &no_limits()),
                deflater: None,
                raw: None,
                received: VecDeque::new(),
                reads: true,
                auto_pong: true,
                auto_close: true,
                close_sent: false,
                close_received: None,
                vanished: false,
                reader: None,
            }),
        }
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Returns whether the client understands what it may have offered.
    pub(crate) fn may_compress(&self) -> bool {
        let state = self.state.lock();
        state.offer.is_some() || state.raw.is_some()
    }

    /// Changes the state and wakes the server's end.
    fn tell_pump<T>(&self, change: impl FnOnce(&mut SocketState) -> T) -> T {
        self.tell(change, |state| state.pump.take())
    }

    /// Changes the state and wakes the client's end.
    fn tell_reader<T>(&self, change: impl FnOnce(&mut SocketState) -> T) -> T {
        self.tell(change, |state| state.reader.take())
    }

    fn tell<T>(
        &self,
        change: impl FnOnce(&mut SocketState) -> T,
        waker: impl FnOnce(&mut SocketState) -> Option<Waker>,
    ) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        let waker = waker(&mut state);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        result
    }
}
