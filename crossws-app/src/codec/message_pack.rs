use std::io::ErrorKind;

use crossws_core::{Bytes, DecodeError, EncodeError};
use rmp_serde::decode::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::binary_codec;
use crate::codec::limits::DecodeLimits;

/// MessagePack in binary messages. Structs are written as maps with the names of their fields, as
/// libraries of other languages write them. Structs as arrays are read too.
///
/// ```
/// use crossws_app::{MessagePackCodec, TypedPeer, messages, typed_as};
///
/// let sums = messages()
///     .on_message(|peer: TypedPeer<i64>, (a, b): (i64, i64)| async move { peer.send(a + b) });
/// let app = typed_as(MessagePackCodec, sums);
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy, Default)]
pub struct MessagePackCodec;

/// A value to be sent as a MessagePack message: `peer.send(MessagePack(&state))`.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// fn tell(peer: &Peer) -> Result<Sent, SendError> {
///     peer.send(MessagePack(("score", 2, 1)))
/// }
/// ```
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy)]
pub struct MessagePack<T>(
    /// The value.
    pub T,
);

binary_codec!(MessagePackCodec, MessagePack, write, read);

fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
    rmp_serde::to_vec_named(value).map_err(EncodeError::new)
}

fn read<T: DeserializeOwned>(bytes: &Bytes, limits: &DecodeLimits) -> Result<T, DecodeError> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(&bytes[..]);
    // Above ours, so that ours is the limit that is reported: the reader counts some values twice.
    reader.set_max_depth(limits.max_depth.saturating_mul(2).saturating_add(2));
    let value = limits.deserialize(&mut reader)?;
    // The reader does not report how many bytes are left: reading the first byte of another value
    // must fail.
    match u8::deserialize(&mut reader) {
        Err(Error::InvalidMarkerRead(end)) if end.kind() == ErrorKind::UnexpectedEof => Ok(value),
        _ => Err(DecodeError::new("bytes follow the value")),
    }
}
