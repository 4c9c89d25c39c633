mod short;

use std::mem;

use bytes::Bytes;
use crossws_core::{CloseCode, Limit, Limits};

use super::begun::{Arriving, Begun};
use super::buffer::append;
use super::header::{Header, MAX_MASKED_HEADER};
use super::{Event, Kind, Opcode, Partial, Role, Violation, close, mask};
use crate::deflate::Inflater;

/// Decodes what the other side sends. Between messages it owns no heap memory; within a message, only what
/// has arrived.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    /// The bounds, as in [`Limits`].
    max_message: usize,
    max_fragments: u32,
    max_frame: u32,
    /// Messages below this length may be short ones, by these bounds.
    short_below: u8,
    /// The unfinished frame and message. Boxed, because an idle connection has neither.
    begun: Option<Box<Begun>>,
    /// Decompresses messages, if compression was negotiated.
    inflater: Inflater,
    inflates: bool,
}

/// The largest message, whatever the limits. No allocation can be larger than `isize::MAX`, and
/// buffers grow by doubling.
const MOST: usize = isize::MAX as usize >> 1;

impl Decoder {
    /// Creates a decoder for a connection whose handshake has just ended.
    pub fn new(role: Role, limits: &Limits) -> Self {
        Self {
            role,
            max_message: limits.max_message_size.get().min(MOST),
            max_fragments: bound(limits.max_fragments),
            max_frame: bound(limits.max_frame_size),
            short_below: short::below(limits),
            begun: None,
            inflater: Inflater::per_message(),
            inflates: false,
        }
    }

    /// Returns the side that decodes.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Consumes bytes from the front of `input` up to the end of the next event.
    ///
    /// Returns `None` when all of `input` is consumed and more bytes are needed. The decoder changes the
    /// bytes that it consumes, because it unmasks in place.
    ///
    /// # Errors
    /// The rule that was broken. The caller must fail the connection (RFC 6455 section 7.1.7) and
    /// must not decode again.
    pub fn decode(&mut self, input: &mut &mut [u8]) -> Result<Option<Event>, Violation> {
        loop {
            let begun = self.begun.as_deref();
            let frame = match begun.and_then(|begun| begun.frame) {
                Some(frame) => frame,
                None => match self.begin(input)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            let event = if frame.left <= input.len() {
                let payload = take(input, frame.left);
                self.unmask(payload, frame.key);
                let event = self.end(frame, payload)?;
                if let Some(begun) = &mut self.begun {
                    begun.frame = None;
                    if begun.message.is_none() {
                        self.begun = None;
                    }
                }
                event
            } else {
                let piece = take(input, input.len());
                self.unmask(piece, frame.key);
                self.piece(frame, piece)?;
                return Ok(None);
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Accepts compressed messages too. Use it when permessage-deflate was negotiated.
    #[must_use]
    pub fn with_inflater(mut self, inflater: impl Into<Option<Inflater>>) -> Self {
        if let Some(inflater) = inflater.into() {
            self.inflater = inflater;
            self.inflates = true;
        }
        self
    }

    /// Unmasks what a client sends.
    fn unmask(&self, bytes: &mut [u8], key: [u8; 4]) {
        if self.role == Role::Server {
            mask::apply(bytes, key);
        }
    }

    /// Reads a header and checks that its frame may come now.
    #[inline]
    fn begin(&mut self, input: &mut &mut [u8]) -> Result<Option<Arriving>, Violation> {
        if input.is_empty() {
            return Ok(None);
        }
        let in_pieces = self.begun.as_ref().is_some_and(|begun| begun.head_len > 0);
        let header = if !in_pieces && let Some((header, len)) = Header::parse(input, self.role)? {
            take(input, len);
            header
        } else {
            match self.resume(input)? {
                Some(header) => header,
                None => return Ok(None),
            }
        };
        self.admit(&header).map(Some)
    }

    /// Reads a header that arrives in pieces.
    #[cold]
    fn resume(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, Violation> {
        let begun = self.begun.get_or_insert_default();
        let had = usize::from(begun.head_len);
        let count = input.len().min(MAX_MASKED_HEADER - had);
        let room = begun.head.iter_mut().skip(had);
        for (to, from) in room.zip(input.iter()) {
            *to = *from;
        }
        let have = had + count;
        match Header::parse(begun.head.get(..have).unwrap_or_default(), self.role)? {
            Some((header, len)) => {
                begun.head_len = 0;
                take(input, len - had);
                Ok(Some(header))
            }
            // The header so far is shorter than the longest one, so all of the input belongs to it.
            None => {
                begun.head_len = have as u8;
                take(input, count);
                Ok(None)
            }
        }
    }

    /// Checks the limits, and the rules that depend on earlier frames, before anything is stored.
    #[inline]
    fn admit(&mut self, header: &Header) -> Result<Arriving, Violation> {
        if header.rsv1 {
            if !self.inflates {
                return Err(Violation::protocol(
                    "RSV1 is set, and no extension was negotiated",
                ));
            }
            // RFC 7692 section 6: the bit stands on a message's first frame, for the whole message.
            if !matches!(header.opcode, Opcode::Text | Opcode::Binary) {
                return Err(Violation::protocol("RSV1 is set, and no message begins"));
            }
        }
        if !header.opcode.is_control() {
            let begun = self.begun.as_deref_mut();
            let message =
                begun.and_then(|begun| Some((begun.message.as_ref()?, &mut begun.fragments)));
            let (had, compressed, fragments) = match (message, header.opcode) {
                (None, Opcode::Continuation) => {
                    return Err(Violation::protocol("a continuation of nothing"));
                }
                (Some((message, fragments)), Opcode::Continuation) => {
                    *fragments = fragments.saturating_add(1);
                    let compressed = matches!(message, Partial::Compressed(..));
                    (message.len(), compressed, *fragments)
                }
                (Some(_), _) => {
                    return Err(Violation::protocol("a new message inside another"));
                }
                (None, _) => (0, header.rsv1, 1),
            };
            let most = match compressed {
                true => most_compressed(self.max_message),
                false => self.max_message,
            };
            Violation::check_size(header.len.saturating_add(had as u64), most)?;
            if self.max_frame < header.len.try_into().unwrap_or(u32::MAX) {
                return Err(Violation::new(CloseCode::TOO_BIG, "frame too big"));
            }
            if fragments > self.max_fragments {
                return Err(Violation::new(CloseCode::POLICY, "too many fragments"));
            }
        }
        Ok(Arriving {
            opcode: header.opcode,
            fin: header.fin,
            compressed: header.rsv1,
            // Within the limit, or at most 125.
            left: usize::try_from(header.len).map_err(|_| Violation::message_too_big())?,
            key: header.key,
        })
    }

    /// Stores a piece of an incomplete frame.
    fn piece(&mut self, frame: Arriving, piece: &[u8]) -> Result<(), Violation> {
        let begun = self.begun.get_or_insert_default();
        begun.frame = Some(Arriving {
            left: frame.left - piece.len(),
            key: mask::advance(frame.key, piece.len()),
            // The message has begun, so its next frames are continuations.
            opcode: match frame.opcode {
                Opcode::Text | Opcode::Binary => Opcode::Continuation,
                other => other,
            },
            ..frame
        });
        match frame.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                append(&mut begun.control, piece, frame.left);
                Ok(())
            }
            _ => self.message(frame).push(piece, frame.coming()),
        }
    }

    /// Completes a frame. Returns `None` if it is not the last of its message.
    #[inline]
    fn end(&mut self, frame: Arriving, payload: &[u8]) -> Result<Option<Event>, Violation> {
        let kind = match frame.opcode {
            Opcode::Text => Kind::Text,
            Opcode::Binary => Kind::Binary,
            Opcode::Continuation => return self.end_piece(frame, payload),
            control => return self.control(control, payload).map(Some),
        };
        if frame.fin {
            let message = match frame.compressed {
                true => self.inflater.message(kind, payload, self.max_message)?,
                false => kind.whole(payload)?,
            };
            return Ok(Some(Event::Message(message)));
        }
        self.end_piece(frame, payload)
    }

    fn end_piece(&mut self, frame: Arriving, payload: &[u8]) -> Result<Option<Event>, Violation> {
        self.message(frame).push(payload, frame.coming())?;
        if !frame.fin {
            return Ok(None);
        }
        let begun = self.begun.as_mut();
        let Some(message) = begun.and_then(|begun| begun.message.take()) else {
            return Ok(None);
        };
        let inflate = |kind, bytes: &_| self.inflater.message(kind, bytes, self.max_message);
        let message = message.finish(inflate)?;
        Ok(Some(Event::Message(message)))
    }

    /// Returns the message that a data frame belongs to.
    fn message(&mut self, frame: Arriving) -> &mut Partial {
        let begun = self.begun.get_or_insert_default();
        begun.message.get_or_insert_with(|| {
            begun.fragments = 1;
            let kind = match frame.opcode {
                Opcode::Text => Kind::Text,
                _ => Kind::Binary,
            };
            Partial::new(kind, frame.compressed)
        })
    }

    /// Returns how many bytes of unfinished frames and messages it holds.
    #[inline]
    pub fn unfinished(&self) -> usize {
        self.begun.as_deref().map_or(0, Begun::owned)
    }

    /// Drops the unfinished frame and message.
    pub fn forget_unfinished(&mut self) {
        self.begun = None;
    }

    fn control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<Event, Violation> {
        let begun = self.begun.as_mut();
        let begun = begun.map_or(Vec::new(), |begun| mem::take(&mut begun.control));
        let payload = if begun.is_empty() {
            Bytes::copy_from_slice(payload)
        } else {
            Bytes::from([&begun, payload].concat())
        };
        match opcode {
            Opcode::Ping => Ok(Event::Ping(payload)),
            Opcode::Pong => Ok(Event::Pong(payload)),
            _ => close::parse(&payload).map(Event::Close),
        }
    }
}

/// Takes bytes from the front.
#[inline]
fn take<'a>(input: &mut &'a mut [u8], count: usize) -> &'a mut [u8] {
    let (taken, rest) = mem::take(input).split_at_mut(count);
    *input = rest;
    taken
}

/// Returns the most bytes that a message of `most` bytes can have in compressed form: nine bits per
/// byte, as deflate's fixed code has, or stored blocks. Without such a bound, a message of empty
/// blocks could grow indefinitely.
fn most_compressed(most: usize) -> usize {
    most.saturating_add(most / 8).saturating_add(64)
}

/// A bound in fewer bytes: no connection comes to more.
fn bound(limit: Limit) -> u32 {
    u32::try_from(limit.get()).unwrap_or(u32::MAX)
}
