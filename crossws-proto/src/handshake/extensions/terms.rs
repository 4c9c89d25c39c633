//! The parameters of permessage-deflate (RFC 7692 section 7.1).

use std::mem;

use super::{Extension, NAME};

/// The parameters of permessage-deflate: first those of an offer, then those of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Terms {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: Option<u8>,
    /// In an offer, the inner `None` means that the server may choose any value.
    pub(super) client_max_window_bits: Option<Option<u8>>,
}

impl Terms {
    /// Reads an extension's parameters. Returns `None` if one is unknown, doubled or out of range:
    /// the server must decline such an offer, and a client must fail the connection on such a
    /// response (RFC 7692 section 7.1).
    pub(super) fn of(extension: &Extension<'_>) -> Option<Self> {
        let mut terms = Self::default();
        for (name, value) in &extension.params {
            let new = match (*name, value.as_deref()) {
                ("server_no_context_takeover", None) => {
                    !mem::replace(&mut terms.server_no_context_takeover, true)
                }
                ("client_no_context_takeover", None) => {
                    !mem::replace(&mut terms.client_no_context_takeover, true)
                }
                ("server_max_window_bits", Some(value)) => {
                    terms.server_max_window_bits.replace(bits(value)?).is_none()
                }
                ("client_max_window_bits", None) => {
                    terms.client_max_window_bits.replace(None).is_none()
                }
                ("client_max_window_bits", Some(value)) => {
                    let bits = Some(bits(value)?);
                    terms.client_max_window_bits.replace(bits).is_none()
                }
                _ => return None,
            };
            if !new {
                return None;
            }
        }
        Some(terms)
    }
}

/// Writes the header's value.
impl std::fmt::Display for Terms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        match self.client_max_window_bits {
            None => Ok(()),
            Some(None) => f.write_str("; client_max_window_bits"),
            Some(Some(bits)) => write!(f, "; client_max_window_bits={bits}"),
        }
    }
}

/// Parses a number from 8 to 15, without leading zeros.
fn bits(value: &str) -> Option<u8> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    let bits = value.parse().ok().filter(|bits| (8..=15).contains(bits))?;
    plain.then_some(bits)
}
