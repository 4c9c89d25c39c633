use std::convert::Infallible;
use std::error::Error;

use cbor4ii::core::dec::{self, Read};
use cbor4ii::core::utils::SliceReader;
use crossws_core::{Bytes, DecodeError, EncodeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::binary_codec;
use crate::codec::limits::DecodeLimits;

/// CBOR (RFC 8949) in binary messages.
///
/// `None` is null. The unit type, and therefore the null of a `serde_json::Value`, is written as an
/// empty array. Tags other than those of big integers are refused.
///
/// ```
/// use crossws_app::{CborCodec, TypedPeer, messages, typed_as};
///
/// let sums = messages()
///     .on_message(|peer: TypedPeer<i64>, (a, b): (i64, i64)| async move { peer.send(a + b) });
/// let app = typed_as(CborCodec, sums);
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy, Default)]
pub struct CborCodec;

/// A value to be sent as a CBOR message: `peer.send(Cbor(&state))`.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// fn tell(peer: &Peer) -> Result<Sent, SendError> {
///     peer.send(Cbor(("score", 2, 1)))
/// }
/// ```
#[allow(clippy::exhaustive_structs)]
#[derive(Debug, Clone, Copy)]
pub struct Cbor<T>(
    /// The value.
    pub T,
);

binary_codec!(CborCodec, Cbor, write, read);

fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
    cbor4ii::serde::to_vec(Vec::new(), value).map_err(EncodeError::new)
}

fn read<T: DeserializeOwned>(bytes: &Bytes, limits: &DecodeLimits) -> Result<T, DecodeError> {
    let mut reader = SliceReader::new(bytes);
    let value = limits
        .deserialize(&mut cbor4ii::serde::Deserializer::new(&mut reader))
        .map_err(readable)?;
    // The end of the value.
    let rest = reader.fill(1).map_err(DecodeError::new)?;
    if !rest.as_ref().is_empty() {
        return Err(DecodeError::new("bytes follow the value"));
    }
    Ok(value)
}

/// Returns the reader's error with a text: its own is that of `Debug`.
fn readable(error: DecodeError) -> DecodeError {
    use cbor4ii::serde::DecodeError::{Core, Custom};

    match error.source().and_then(|source| source.downcast_ref()) {
        Some(Custom::<Infallible>(text)) => DecodeError::new(&**text),
        Some(Core(dec::Error::Mismatch { name, found })) => DecodeError::new(format!(
            "{name} is expected, and what begins with the byte {found:#04x} is none"
        )),
        Some(Core(dec::Error::Eof { name, .. })) => {
            DecodeError::new(format!("the payload ends before the end of {name}"))
        }
        _ => error,
    }
}
