//! How a connection's messages become bytes on the wire.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::{Encoding, Publication, Receipt, Wire};
use crossws_core::{Message, SendOptions};

use super::{Clock, Framing, Outbox};
use crate::deflate::{Deflater, Outgoing, deflate_frame};
use crate::frame::{Opcode, ServerFrame, put_frame, unmasked_len};
use crate::handshake::Agreed;
use crate::sync::Mutex;

/// How one connection's messages become frames.
// Exhaustive on purpose: RFC 7692 knows these ways.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug)]
pub enum Encoder {
    /// Not compressed.
    Plain,
    /// Compressed, each message by itself, so that connections with equal parameters share them.
    Shared(Outgoing),
    /// Compressed in the connection's own context: in the order in which they are sent.
    Own(Arc<Mutex<Deflater>>),
}

impl Encoder {
    /// Creates the encoder that the handshake has agreed on.
    pub fn new(agreed: &Agreed, outbox: &Outbox<ServerFrame, impl Clock>) -> Self {
        match agreed.deflate() {
            None => Self::Plain,
            // A policy that discards messages would discard what others refer to.
            Some(negotiated) if negotiated.outgoing.takes_context_over() && outbox.reads_logs() => {
                Self::Own(Arc::new(Mutex::new(Deflater::new(negotiated))))
            }
            Some(negotiated) => Self::Shared(negotiated.outgoing),
        }
    }

    /// Returns the format of logs that this connection can read: any but one of its own.
    pub fn wire(&self) -> Option<Wire> {
        match self {
            Self::Plain => Some(Wire::new::<ServerFrame>(0)),
            Self::Shared(outgoing) => Some(Wire::new::<DeflatedFrame>(outgoing.to_bits())),
            Self::Own(_) => None,
        }
    }

    /// Queues a message in the simple case: see [`Outbox::push_at_once`]. Returns how many bytes wait
    /// now. In every other case returns `None`, and queues nothing.
    #[inline]
    pub fn send_at_once(
        &self,
        outbox: &Outbox<ServerFrame, impl Clock>,
        message: &Message,
        options: &SendOptions,
    ) -> Option<usize> {
        if !matches!(self, Self::Plain) || depends_on_the_client(options) {
            return None;
        }
        outbox.push_at_once(Opcode::from(message), message.as_bytes())
    }

    /// Queues a message without waking the writer. The options apply.
    #[inline]
    pub fn send(
        &self,
        outbox: &Outbox<ServerFrame, impl Clock>,
        message: &Message,
        options: &SendOptions,
    ) -> Receipt {
        // Not compressed: in a connection's own context, no frame may be taken out again.
        if depends_on_the_client(options)
            && let Some(receipt) = send_to_slow(outbox, options, || plain_frame(message))
        {
            return receipt;
        }
        self.encode(outbox, message, options.may_compress())
    }

    #[inline]
    fn encode(
        &self,
        outbox: &Outbox<ServerFrame, impl Clock>,
        message: &Message,
        compress: bool,
    ) -> Receipt {
        let (opcode, payload) = (Opcode::from(message), message.as_bytes());
        if compress
            && !matches!(self, Self::Plain)
            && let Some(receipt) = self.send_compressed(outbox, opcode, payload)
        {
            return receipt;
        }
        outbox.enqueue(unmasked_len(payload.len()), |batch| {
            batch.push(opcode, payload);
        })
    }

    /// Returns `None`, and queues nothing, if compression does not make the message smaller.
    fn send_compressed(
        &self,
        outbox: &Outbox<ServerFrame, impl Clock>,
        opcode: Opcode,
        payload: &Bytes,
    ) -> Option<Receipt> {
        let enqueue = |frame: Vec<u8>| {
            outbox.enqueue(frame.len(), |batch| batch.push_encoded(frame.into(), 1))
        };
        let mut frame = Vec::new();
        match self {
            Self::Plain => None,
            Self::Shared(outgoing) => {
                deflate_frame(outgoing, opcode, payload, &mut frame).then(|| enqueue(frame))
            }
            Self::Own(deflater) => {
                // Held until the frame is queued: it refers to those that were queued before.
                let mut deflater = deflater.lock();
                if !deflater.put_frame(opcode, payload, &mut frame) {
                    return None;
                }
                let receipt = enqueue(frame);
                if !receipt.queued {
                    deflater.interrupt();
                }
                Some(receipt)
            }
        }
    }

    /// As [`send`](Self::send), for a message that other connections are sent too.
    pub fn publish(
        &self,
        outbox: &Outbox<ServerFrame, impl Clock>,
        publication: &Publication,
    ) -> Receipt {
        let message = publication.message();
        let options = publication.options();
        let frame = || match self.wire() {
            Some(wire) => publication.encoded(wire),
            // A frame must not be missing from a connection's own context.
            None => plain_frame(message),
        };
        if depends_on_the_client(options)
            && let Some(receipt) = send_to_slow(outbox, options, frame)
        {
            return receipt;
        }
        match self.wire() {
            Some(wire) => publication.with_encoded(wire, |frame| {
                outbox.enqueue(frame.len(), |batch| batch.push_shared(frame, 1))
            }),
            None => self.encode(outbox, message, publication.may_compress()),
        }
    }

    /// Returns the connection's own compression context, if it may have one.
    pub fn deflater(&self) -> Option<Arc<Mutex<Deflater>>> {
        match self {
            Self::Own(deflater) => Some(Arc::clone(deflater)),
            _ => None,
        }
    }
}

/// Returns whether the bytes that wait for the client decide what becomes of a message.
#[inline]
pub fn depends_on_the_client(options: &SendOptions) -> bool {
    options.is_volatile() || options.replaces().is_some()
}

/// Queues a message that is volatile or has a key, if the client is slow.
#[cold]
pub fn send_to_slow(
    outbox: &Outbox<impl Framing, impl Clock>,
    options: &SendOptions,
    frame: impl FnOnce() -> Bytes,
) -> Option<Receipt> {
    let discarded = options.is_volatile().then(|| outbox.discard_volatile());
    let replaced = || outbox.replace(options.replaces()?, frame);
    discarded.flatten().or_else(replaced)
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
