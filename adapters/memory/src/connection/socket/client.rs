//! The client's end of a socket.

use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use crossws_core::{CloseFrame, Closed, ControlError, Message, SendError, Utf8Bytes};
use crossws_proto::deflate::Deflater;
use crossws_proto::frame::{Event, Opcode, Role, put_masked_close, put_masked_frame};

use super::{Answer, Socket, SocketState, no_limits};
use crate::client::CloseEvent;
use crate::client::frame::Frame;
use crate::client::refusal::ConnectError;

impl Socket {
    pub(crate) fn poll_answer(&self, cx: &Context<'_>) -> Poll<Result<Answer, ConnectError>> {
        self.poll_client(Some(cx), |state| match state.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None if state.over => Poll::Ready(Err(ConnectError::dropped())),
            None => Poll::Pending,
        })
    }

    pub(crate) fn client_sends(&self, message: Message) -> Result<(), SendError> {
        match self.client_puts(|state| state.put_message(&message)) {
            true => Ok(()),
            false => Err(SendError::Closed(message)),
        }
    }

    pub(crate) fn client_controls(&self, opcode: Opcode, data: &[u8]) -> Result<(), ControlError> {
        match self.client_puts(|state| state.put(opcode, data)) {
            true => Ok(()),
            false => Err(ControlError::Closed),
        }
    }

    /// Sends bytes as they are. Returns whether the connection is open.
    pub(crate) fn client_writes(&self, bytes: &[u8]) -> bool {
        self.client_puts(|state| {
            state.network.extend_from_slice(bytes);
            true
        })
    }

    /// Puts something into the network of an open connection. Returns whether it is there.
    fn client_puts(&self, put: impl FnOnce(&mut SocketState) -> bool) -> bool {
        self.tell_pump(|state| !state.client_has_ended() && put(state))
    }

    pub(crate) fn client_closes(&self, frame: Option<CloseFrame>) {
        self.tell_pump(|state| state.client_closes(frame));
    }

    pub(crate) fn vanish(&self) {
        self.tell_pump(|state| {
            state.vanished = true;
            state.received.clear();
        });
        self.tell_reader(|_| ());
    }

    pub(crate) fn set_reads(&self, reads: bool) {
        self.tell_pump(|state| state.reads = reads);
    }

    pub(crate) fn set_auto_pong(&self, on: bool) {
        self.state.lock().auto_pong = on;
    }

    pub(crate) fn set_auto_close(&self, on: bool) {
        self.state.lock().auto_close = on;
    }

    /// Leaves all frames to the test.
    pub(crate) fn set_raw(&self) {
        self.state.lock().raw.get_or_insert_default();
    }

    /// Returns the bytes that have arrived, or `None` at the end.
    pub(crate) fn poll_bytes(&self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        self.poll_client(Some(cx), |state| {
            let bytes = state.raw.as_mut().map(BytesMut::split);
            state.arrived(bytes.filter(|bytes| !bytes.is_empty()))
        })
        .map(|bytes| bytes.map(BytesMut::freeze))
    }

    /// Returns the next frame that the client received, or `None` at the end. With a context, it is
    /// woken for the one after.
    pub(crate) fn poll_frame(&self, cx: Option<&Context<'_>>) -> Poll<Option<Frame>> {
        self.poll_client(cx, |state| {
            let frame = state.received.pop_front();
            state.arrived(frame)
        })
    }

    /// Returns how the connection ended, once the client can observe its end.
    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> Poll<CloseEvent> {
        self.poll_client(Some(cx), |state| match state.is_over() {
            true => Poll::Ready(state.close_event()),
            false => Poll::Pending,
        })
    }

    /// Polls what the client waits for. If there is nothing yet, the next change wakes the client.
    fn poll_client<T>(
        &self,
        cx: Option<&Context<'_>>,
        poll: impl FnOnce(&mut SocketState) -> Poll<T>,
    ) -> Poll<T> {
        let mut state = self.state.lock();
        let polled = poll(&mut state);
        let cx = cx.filter(|_| polled.is_pending());
        let old = cx.and_then(|cx| state.reader.replace(cx.waker().clone()));
        // Dropped without the lock: it may be the last handle to a task that owns this client.
        drop(state);
        drop(old);
        polled
    }
}

impl SocketState {
    /// Returns what has arrived, or `None` once nothing arrives any more.
    fn arrived<T>(&self, next: Option<T>) -> Poll<Option<T>> {
        match next {
            None if !self.is_over() => Poll::Pending,
            next => Poll::Ready(next),
        }
    }

    /// Returns whether the client can observe the end of the connection.
    pub(super) fn is_over(&self) -> bool {
        self.over || self.vanished
    }

    fn close_event(&self) -> CloseEvent {
        let (code, reason) = match &self.close_received {
            Some(Some(frame)) => (frame.code().get(), frame.reason().clone()),
            Some(None) => (Closed::NO_STATUS, Utf8Bytes::default()),
            None => (Closed::ABNORMAL, Utf8Bytes::default()),
        };
        CloseEvent {
            code,
            reason,
            clean: self.close_sent && self.close_received.is_some(),
        }
    }

    fn client_has_ended(&self) -> bool {
        self.close_sent || self.is_over()
    }

    /// Encodes one frame into the network. Returns `false` if the system's random source fails.
    fn put(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        put_masked_frame(&mut self.network, opcode, payload).is_ok()
    }

    /// Encodes a message into the network, compressed if that was agreed on. Returns as
    /// [`put`](Self::put).
    fn put_message(&mut self, message: &Message) -> bool {
        let (opcode, payload) = (Opcode::from(message), message.as_bytes());
        let deflater = self.deflater.as_mut();
        let compressed = deflater.map_or(Ok(false), |deflater| {
            deflater.put_masked_frame(opcode, payload, &mut self.network)
        });
        match compressed {
            Ok(true) => true,
            Ok(false) => self.put(opcode, payload),
            Err(_) => false,
        }
    }

    /// Takes the extensions that the server has agreed on.
    pub(super) fn agree(&mut self, answer: Answer) -> Result<Answer, ConnectError> {
        if let Some(offer) = self.offer.take() {
            let agreed = offer.check_extensions(answer.response.headers());
            let agreed = agreed.map_err(ConnectError::unacceptable)?;
            self.deflater = agreed.deflate().map(Deflater::new);
            self.decoder = agreed.into_decoder(Role::Client, &no_limits());
        }
        Ok(answer)
    }

    /// Delivers bytes to the client, which decodes them. Returns `false` if they are no frames.
    pub(super) fn deliver(&mut self, bytes: &mut [u8]) -> bool {
        if let Some(raw) = &mut self.raw {
            raw.extend_from_slice(bytes);
            return true;
        }
        let mut rest = bytes;
        loop {
            match self.decoder.decode(&mut rest) {
                Ok(Some(event)) => self.frame(event.into()),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Delivers one frame to the client, which replies according to its settings.
    fn frame(&mut self, frame: Frame) {
        match &frame {
            Frame::Ping(data) if self.auto_pong && !self.close_sent => {
                let data = Bytes::clone(data);
                self.put(Opcode::Pong, &data);
            }
            Frame::Close(close) => {
                self.close_received = Some(close.clone());
                if self.auto_close {
                    self.client_closes(close.clone());
                }
            }
            _ => {}
        }
        self.received.push_back(frame);
    }

    fn client_closes(&mut self, frame: Option<CloseFrame>) {
        if !self.client_has_ended() {
            self.close_sent = true;
            // Without randomness the client is gone to the server, which waits for it in vain.
            let _ = put_masked_close(&mut self.network, frame.as_ref());
        }
    }
}

impl From<Event> for Frame {
    fn from(event: Event) -> Self {
        match event {
            Event::Message(message) => Self::Message(message),
            Event::Ping(data) => Self::Ping(data),
            Event::Pong(data) => Self::Pong(data),
            Event::Close(frame) => Self::Close(frame),
        }
    }
}
