//! How a connection's messages become bytes on the wire.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use crossws_core::Message;
use crossws_core::adapter::{Encoding, Publication, Receipt, Wire};

use crate::outbox::Outbox;
use crate::sync::Mutex;
use crossws_proto::deflate::{Deflater, Outgoing, deflate_frame};
use crossws_proto::frame::{Opcode, ServerFrame, put_frame};
use crossws_proto::handshake::Agreed;

/// How one connection's messages become frames.
pub(crate) enum Encoder {
    Plain,
    /// Compressed, each message by itself, so that connections with equal parameters share them.
    Shared(Outgoing),
    /// Compressed in the connection's own context: in the order in which they are sent.
    Own(Arc<Mutex<Deflater>>),
}

impl Encoder {
    pub(crate) fn new(agreed: &Agreed, outbox: &Outbox) -> Self {
        match agreed.deflate() {
            None => Self::Plain,
            // A policy that discards messages would discard what others refer to.
            Some(negotiated) if negotiated.outgoing.takes_context_over() && outbox.reads_logs() => {
                Self::Own(Arc::new(Mutex::new(Deflater::new(negotiated))))
            }
            Some(negotiated) => Self::Shared(negotiated.outgoing),
        }
    }

    /// Returns whether messages become frames as they are.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// Returns the format of logs that this connection can read: any but one of its own.
    pub(crate) fn wire(&self) -> Option<Wire> {
        match self {
            Self::Plain => Some(Wire::new::<ServerFrame>(0)),
            Self::Shared(outgoing) => Some(Wire::new::<DeflatedFrame>(outgoing.to_bits())),
            Self::Own(_) => None,
        }
    }

    /// Queues a message without waking the pump.
    #[inline]
    pub(crate) fn send(&self, outbox: &Outbox, message: &Message, compress: bool) -> Receipt {
        match self {
            Self::Shared(_) | Self::Own(_) if compress => self.send_compressed(outbox, message),
            _ => Self::send_plain(outbox, message),
        }
    }

    #[inline]
    fn send_plain(outbox: &Outbox, message: &Message) -> Receipt {
        let payload = message.as_bytes();
        let opcode = Opcode::from(message);
        outbox.enqueue(payload.len(), |batch| batch.push(opcode, payload))
    }

    fn send_compressed(&self, outbox: &Outbox, message: &Message) -> Receipt {
        let payload = message.as_bytes();
        let opcode = Opcode::from(message);
        match self {
            Self::Shared(outgoing) => {
                let mut frame = Vec::new();
                if deflate_frame(outgoing, opcode, payload, &mut frame) {
                    let frame = Bytes::from(frame);
                    outbox.enqueue(payload.len(), |batch| batch.push_encoded(frame, 1))
                } else {
                    Self::send_plain(outbox, message)
                }
            }
            Self::Own(deflater) => {
                // Held until the frame is queued: it refers to those that were queued before.
                let mut deflater = deflater.lock();
                let mut frame = Vec::new();
                if !deflater.put_frame(opcode, payload, &mut frame) {
                    return Self::send_plain(outbox, message);
                }
                let frame = Bytes::from(frame);
                let receipt = outbox.enqueue(payload.len(), |batch| batch.push_encoded(frame, 1));
                if !receipt.queued {
                    deflater.interrupt();
                }
                receipt
            }
            Self::Plain => Self::send_plain(outbox, message),
        }
    }

    /// As [`send`](Self::send), for a message that other connections are sent too.
    pub(crate) fn publish(&self, outbox: &Outbox, publication: &Publication) -> Receipt {
        let message = publication.message();
        match self.wire() {
            Some(wire) => publication.with_encoded(wire, |frame| {
                outbox.enqueue(message.len(), |batch| batch.push_shared(frame, 1))
            }),
            None => self.send(outbox, message, publication.may_compress()),
        }
    }

    /// As [`publish`](Self::publish), for a message that replaces one with the same key while the
    /// client is slow. Returns `None` if the client is not slow.
    pub(crate) fn replace(
        &self,
        outbox: &Outbox,
        key: &Arc<str>,
        publication: &Publication,
    ) -> Option<Receipt> {
        outbox.replace(key, || match self.wire() {
            Some(wire) => publication.encoded(wire),
            // A frame must not be missing from a connection's own context.
            None => plain_frame(publication.message()),
        })
    }

    /// As [`replace`](Self::replace), for a message to this connection alone: not compressed.
    pub(crate) fn replace_sent(
        outbox: &Outbox,
        key: &Arc<str>,
        message: &Message,
    ) -> Option<Receipt> {
        outbox.replace(key, || plain_frame(message))
    }

    /// Returns the connection's own compression context, if it may have one.
    pub(crate) fn deflater(&self) -> Option<Arc<Mutex<Deflater>>> {
        match self {
            Self::Own(deflater) => Some(Arc::clone(deflater)),
            _ => None,
        }
    }
}

fn plain_frame(message: &Message) -> Bytes {
    let mut frame = BytesMut::new();
    put_frame(&mut frame, Opcode::from(message), message.as_bytes());
    frame.freeze()
}

/// The wire format of compressed publications: the variant holds the parameters.
struct DeflatedFrame;

impl Encoding for DeflatedFrame {
    fn append(variant: u64, publication: &Publication, to: &mut Vec<u8>) {
        let message = publication.message();
        let (opcode, payload) = (Opcode::from(message), message.as_bytes());
        let outgoing = Outgoing::from_bits(variant);
        if !(publication.may_compress() && deflate_frame(&outgoing, opcode, payload, to)) {
            put_frame(to, opcode, payload);
        }
    }

    fn takes_long(variant: u64, publication: &Publication) -> bool {
        let payload = publication.message().as_bytes();
        publication.may_compress() && Outgoing::from_bits(variant).wants(payload)
    }
}
