use std::io::{self, ErrorKind, Read, Write};
use std::mem;

use bytes::Bytes;
use crossws_core::{CloseCode, CloseFrame, Limit, Limits, Message, Utf8Bytes};
use tungstenite::Error;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

use super::Engine;
use crate::frame::{Event, Role as Side, Violation};

/// tungstenite, used without IO: its state machine reads from a slice. What it would write (pongs
/// and close replies) is discarded, because only what it decodes is compared.
///
/// It does not count fragments, accepts lengths in longer forms than they need, and validates UTF-8
/// frame by frame.
#[derive(Debug)]
pub(super) struct Tungstenite(Box<WebSocketContext>);

/// tungstenite's own buffer: frames larger than this grow it, and it owns this much while idle.
const BUFFER: usize = 4 << 10;

/// The most bytes of one frame, however large a message may be. tungstenite reserves the length
/// that a frame's header announces, and an announcement costs a client nothing.
const MAX_FRAME: usize = 64 << 20;

/// Payloads up to this size are copied: a slice would keep the whole buffer alive while the
/// application keeps the message.
const COPY_UP_TO: usize = 2 << 10;

impl Engine for Tungstenite {
    fn new(role: Side, limits: &Limits) -> Self {
        let most = match limits.max_message_size {
            Limit::At(most) => Some(most),
            Limit::Unlimited => None,
        };
        let max_frame = limits
            .max_message_size
            .get()
            .min(limits.max_frame_size.get());
        let max_frame = max_frame.min(MAX_FRAME);
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(most)
            .max_frame_size(Some(max_frame));
        let role = match role {
            Side::Server => Role::Server,
            Side::Client => Role::Client,
        };
        Self(Box::new(WebSocketContext::new(role, Some(config))))
    }

    fn decode(&mut self, input: &mut &mut [u8]) -> Result<Option<Event>, Violation> {
        loop {
            let message = match self.0.read(&mut Wire(input)) {
                Ok(message) => message,
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(None);
                }
                Err(error) => return Err(violation(&error)),
            };
            return Ok(Some(match message {
                tungstenite::Message::Text(text) => Event::Message(Message::Text(
                    // The text is valid, so the copy is not validated again.
                    if text.len() <= COPY_UP_TO {
                        Utf8Bytes::from(text.as_str())
                    } else {
                        Utf8Bytes::try_from(Bytes::from(text)).map_err(|error| {
                            Violation::new(CloseCode::INVALID, error.to_string())
                        })?
                    },
                )),
                tungstenite::Message::Binary(bytes) => {
                    Event::Message(Message::Binary(if bytes.len() <= COPY_UP_TO {
                        Bytes::copy_from_slice(&bytes)
                    } else {
                        bytes
                    }))
                }
                tungstenite::Message::Ping(data) => Event::Ping(Bytes::copy_from_slice(&data)),
                tungstenite::Message::Pong(data) => Event::Pong(Bytes::copy_from_slice(&data)),
                tungstenite::Message::Close(frame) => Event::Close(frame.map(close).transpose()?),
                // `read` never returns it.
                tungstenite::Message::Frame(_) => continue,
            }));
        }
    }
}

fn close(frame: tungstenite::protocol::CloseFrame) -> Result<CloseFrame, Violation> {
    // What tungstenite substitutes for a code that must not be sent. It includes 1014, which IANA
    // has assigned since.
    if frame.code == tungstenite::protocol::frame::coding::CloseCode::Protocol
        && frame.reason.as_str() == "Protocol violation"
    {
        return Err(Violation::protocol("a close code that must not be sent"));
    }
    let code = u16::from(frame.code);
    let code = CloseCode::new(code).ok_or_else(|| {
        let text = format!("close code {code} must not be sent");
        Violation::new(CloseCode::PROTOCOL, text)
    })?;
    Ok(CloseFrame::new(code, frame.reason.as_str()))
}

fn violation(error: &Error) -> Violation {
    let code = match error {
        Error::Capacity(_) => CloseCode::TOO_BIG,
        Error::Utf8(_) => CloseCode::INVALID,
        _ => CloseCode::PROTOCOL,
    };
    Violation::new(code, error.to_string())
}

/// A slice as the stream that tungstenite reads from and writes to.
struct Wire<'a, 'b>(&'a mut &'b mut [u8]);

impl Read for Wire<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            // Returning 0 would mean the end of the stream.
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = buf.len().min(self.0.len());
        let (taken, rest) = mem::take(self.0).split_at_mut(count);
        for (to, from) in buf.iter_mut().zip(taken) {
            *to = *from;
        }
        *self.0 = rest;
        Ok(count)
    }
}

impl Write for Wire<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
