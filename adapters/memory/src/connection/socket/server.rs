//! The server's end of a socket.

use std::task::Context;

use bytes::BytesMut;

use super::{Answer, Socket};
use crate::client::refusal::ConnectError;

impl Socket {
    /// Wakes the pump at the next change.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let old = self.state.lock().pump.replace(cx.waker().clone());
        drop(old);
    }

    pub(crate) fn wake_pump(&self) {
        self.tell_pump(|_| ());
    }

    pub(crate) fn answer(&self, answer: Result<Answer, ConnectError>) {
        self.tell_reader(|state| {
            let agreed = answer.and_then(|answer| state.agree(answer));
            // Without a connection, nothing follows the answer.
            state.over |= agreed.is_err();
            state.answer = Some(agreed);
        });
    }

    /// Takes the bytes that have arrived.
    pub(crate) fn receive(&self) -> BytesMut {
        self.state.lock().network.split()
    }

    pub(crate) fn vanished(&self) -> bool {
        self.state.lock().vanished
    }

    /// Returns whether the client reads, or would if there were anything.
    pub(crate) fn takes(&self) -> bool {
        let state = self.state.lock();
        state.reads && !state.is_over()
    }

    /// Passes bytes to a client that [takes](Self::takes) them, and may reply. What are no frames end the
    /// connection.
    pub(crate) fn deliver(&self, mut bytes: Vec<u8>) {
        if !self.tell_reader(|state| state.deliver(&mut bytes)) {
            self.end();
        }
    }

    /// Drops the connection: the client observes its end after the frames that it has received.
    pub(crate) fn end(&self) {
        self.tell_reader(|state| {
            state.over = true;
            state.network.clear();
        });
    }
}
