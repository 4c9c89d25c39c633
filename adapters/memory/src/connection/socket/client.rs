//! The client's end of a socket.

use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};
use crossws_core::{CloseFrame, ControlError, Message, SendError};
use crossws_proto::deflate::Deflater;
use crossws_proto::frame::{Event, Opcode, Role, put_masked_close, put_masked_frame};

use super::{Answer, Socket, State, no_limits};
use crate::client::frame::Frame;
use crate::client::refusal::ConnectError;

/// Why a client has no frame to take.
pub(crate) enum Nothing {
    Yet,
    Ever,
}

/// How a connection ended, as the client saw it.
pub(crate) struct Seen {
    pub(crate) received: Option<Option<CloseFrame>>,
    pub(crate) clean: bool,
}

impl Socket {
    pub(crate) fn poll_answer(&self, cx: &Context<'_>) -> Option<Result<Answer, ConnectError>> {
        let old = {
            let mut state = self.state.lock();
            match state.answer.take() {
                Some(answer) => return Some(answer),
                None if state.over => return Some(Err(ConnectError::dropped())),
                None => state.watch(cx),
            }
        };
        drop(old);
        None
    }

    pub(crate) fn client_sends(&self, message: Message) -> Result<(), SendError> {
        self.tell_pump(|state| {
            if state.client_has_ended() {
                return Err(SendError::Closed(message));
            }
            match state.put_message(&message) {
                true => Ok(()),
                false => Err(SendError::Closed(message)),
            }
        })
    }

    pub(crate) fn client_controls(&self, opcode: Opcode, data: &[u8]) -> Result<(), ControlError> {
        self.tell_pump(|state| {
            if !state.client_has_ended() && state.put(opcode, data) {
                return Ok(());
            }
            Err(ControlError::Closed)
        })
    }

    /// Sends bytes as they are. Returns whether the connection is open.
    pub(crate) fn client_writes(&self, bytes: &[u8]) -> bool {
        self.tell_pump(|state| {
            let open = !state.client_has_ended();
            if open {
                state.network.extend_from_slice(bytes);
            }
            open
        })
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

    /// Returns the bytes that have arrived. With a context, it is woken for the next.
    pub(crate) fn take_bytes(&self, cx: &Context<'_>) -> Result<Bytes, Nothing> {
        let old = {
            let mut state = self.state.lock();
            match state.raw.as_mut().map(BytesMut::split) {
                Some(bytes) if !bytes.is_empty() => return Ok(bytes.freeze()),
                _ if state.over || state.vanished => return Err(Nothing::Ever),
                _ => state.watch(cx),
            }
        };
        drop(old);
        Err(Nothing::Yet)
    }

    /// Returns the next frame that the client received. With a context, it is woken for the one
    /// after.
    pub(crate) fn take_frame(&self, cx: Option<&Context<'_>>) -> Result<Frame, Nothing> {
        let old = {
            let mut state = self.state.lock();
            match state.received.pop_front() {
                Some(frame) => return Ok(frame),
                None if state.over || state.vanished => return Err(Nothing::Ever),
                None => cx.and_then(|cx| state.watch(cx)),
            }
        };
        drop(old);
        Err(Nothing::Yet)
    }

    /// Returns how the connection ended, once the client can observe its end.
    pub(crate) fn seen(&self, cx: &Context<'_>) -> Option<Seen> {
        let old = {
            let mut state = self.state.lock();
            if state.over || state.vanished {
                return Some(Seen {
                    received: state.close_received.clone(),
                    clean: state.close_sent && state.close_received.is_some(),
                });
            }
            state.watch(cx)
        };
        drop(old);
        None
    }
}

impl State {
    /// Wakes the client at the next change. Returns the previous waker. It must be dropped after
    /// the lock is released: it may be the last handle to a task that owns this client.
    fn watch(&mut self, cx: &Context<'_>) -> Option<Waker> {
        self.reader.replace(cx.waker().clone())
    }

    fn client_has_ended(&self) -> bool {
        self.close_sent || self.over || self.vanished
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
