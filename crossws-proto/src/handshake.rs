//! The opening handshake's rules (RFC 6455 section 4), on `http` types.

mod answer_error;
mod client;
pub(crate) mod extensions;
mod lookup;
mod server;
mod target;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossws_core::Limits;
use sha1_smol::Sha1;

pub use self::answer_error::AnswerError;
pub use self::client::{ClientHandshake, InvalidProtocol};
use self::extensions::Agreement;
pub use self::extensions::Malformed;
pub use self::lookup::Lookup;
pub use self::server::{Handshake, Offers, asks, is_upgrade};
pub use self::target::{BAD_TARGET, check_target, convert_target, is_target};
use crate::deflate::Negotiated;
use crate::frame::{Decoder, Role};

/// What a handshake has agreed on for its connection, apart from the decisions of hooks.
#[derive(Debug, Default)]
pub struct Agreed {
    deflate: Option<Agreement>,
}

impl Agreed {
    /// Returns the extensions as in the response's header; empty for none.
    pub fn extensions(&self) -> &str {
        self.deflate.as_ref().map_or("", |deflate| &deflate.answer)
    }

    /// Returns how messages are compressed, or `None` if they are not.
    pub fn deflate(&self) -> Option<&Negotiated> {
        self.deflate.as_ref().map(|deflate| &deflate.negotiated)
    }

    /// Returns the decoder of the connection, for either role.
    pub fn into_decoder(self, role: Role, limits: &Limits) -> Decoder {
        let inflater = self.deflate.map(|deflate| deflate.inflater);
        Decoder::new(role, limits).with_inflater(inflater)
    }
}

/// The length of the `Sec-WebSocket-Accept` value: 20 bytes in base64.
const ACCEPT: usize = 28;

/// Returns the accept value for a key (RFC 6455 section 4.2.2, item 5.4).
fn accept(key: &[u8]) -> [u8; ACCEPT] {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let digest = sha1.digest().bytes();
    let mut accept = [0; ACCEPT];
    // The value fits exactly.
    let _ = STANDARD.encode_slice(digest, &mut accept);
    accept
}
