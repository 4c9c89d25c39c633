//! The negotiation (RFC 6455 section 9.1, RFC 7692 section 7.1).

use std::borrow::Cow;
use std::mem;

use crossws_core::{Deflate, Rejection};
use http::StatusCode;

use super::{Inflater, NAME, Negotiated, Outgoing, window_bits};

#[cfg(test)]
mod tests;

/// The header's value does not have the form that RFC 6455 section 9.1 demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Sec-WebSocket-Extensions header is malformed")]
#[non_exhaustive]
pub struct Malformed;

/// An offer that was accepted.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) negotiated: Negotiated,
    /// For the answer's header.
    pub(crate) answer: String,
    pub(crate) inflater: Inflater,
}

/// Accepts the first offer that can be; `None` if there is none.
///
/// # Errors
/// 400 when the header is malformed, or when the configuration is strict and permessage-deflate was
/// offered in vain.
pub(crate) fn negotiate<'a>(
    config: &Deflate,
    headers: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Agreed>, Rejection> {
    let mut offered = false;
    for header in headers {
        let offers = parse(header)
            .map_err(|error| Rejection::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        for offer in offers.iter().filter(|offer| offer.name == NAME) {
            offered = true;
            if let Some(terms) = Terms::of(offer).and_then(|terms| terms.meet(config)) {
                return Ok(Some(terms.agree(config)));
            }
        }
    }
    if offered && config.strict {
        return Err(Rejection::new(
            StatusCode::BAD_REQUEST,
            "no offer of permessage-deflate can be accepted",
        ));
    }
    Ok(None)
}

/// The parameters of permessage-deflate: first as they are offered, then as they are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Terms {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// In an offer, the inner `None` is a client that can be told any.
    client_max_window_bits: Option<Option<u8>>,
}

impl Terms {
    /// `None` for parameters that are unknown, doubled or out of range: such an offer must be
    /// declined (RFC 7692 section 7.1).
    fn of(offer: &Offer<'_>) -> Option<Self> {
        let mut terms = Self::default();
        for (name, value) in &offer.params {
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

    /// The answer to these as an offer; `None` to decline.
    fn meet(self, config: &Deflate) -> Option<Self> {
        let server = window_bits(config.server_max_window_bits);
        let client = window_bits(config.client_max_window_bits);
        // zlib does not compress for a window of 256 bytes. (It would silently take 512.)
        if self.server_max_window_bits.is_some_and(|bits| bits < 9) {
            return None;
        }
        let server = server.min(self.server_max_window_bits.unwrap_or(15));
        let said = self.server_max_window_bits.is_some() || server < 15;
        let client = match self.client_max_window_bits {
            // It cannot be told. We can read every window, so only `strict` minds.
            None if client < 15 && config.strict => return None,
            None => None,
            Some(None) => Some(client).filter(|bits| *bits < 15),
            // 8 too: what a client says that it can do, it can.
            Some(Some(bits)) => Some(bits.min(client)),
        };
        Some(Self {
            server_no_context_takeover: self.server_no_context_takeover
                || config.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover
                || config.client_no_context_takeover,
            server_max_window_bits: said.then_some(server),
            client_max_window_bits: client.map(Some),
        })
    }

    /// What these mean as an answer.
    fn agree(mut self, config: &Deflate) -> Agreed {
        let context = (!self.client_no_context_takeover)
            .then(|| Inflater::with_context(config.max_context_memory))
            .flatten();
        // No memory for one: the client has to do without.
        self.client_no_context_takeover = context.is_none();
        let bits = self.server_max_window_bits.unwrap_or(15);
        Agreed {
            negotiated: Negotiated {
                outgoing: Outgoing::new(config, bits, !self.server_no_context_takeover),
                incoming_takeover: !self.client_no_context_takeover,
                max_context_memory: config.max_context_memory,
            },
            answer: self.to_string(),
            inflater: context.unwrap_or_else(Inflater::per_message),
        }
    }
}

/// The value of the answer's header.
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
        if let Some(Some(bits)) = self.client_max_window_bits {
            write!(f, "; client_max_window_bits={bits}")?;
        }
        Ok(())
    }
}

/// A number from 8 to 15, without leading zeros.
fn bits(value: &str) -> Option<u8> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    let bits = value.parse().ok().filter(|bits| (8..=15).contains(bits))?;
    plain.then_some(bits)
}

/// One extension of a header, with its parameters.
#[derive(Debug, PartialEq)]
struct Offer<'a> {
    name: &'a str,
    params: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// The extensions of a header.
fn parse(header: &[u8]) -> Result<Vec<Offer<'_>>, Malformed> {
    let header = std::str::from_utf8(header).map_err(|_| Malformed)?;
    let mut cursor = Cursor(header);
    let mut offers = Vec::new();
    loop {
        // A list may have empty elements (RFC 2616 section 2.1).
        while cursor.eat(',') {}
        if cursor.0.is_empty() {
            return if offers.is_empty() {
                Err(Malformed)
            } else {
                Ok(offers)
            };
        }
        let name = cursor.token()?;
        let mut params = Vec::new();
        while cursor.eat(';') {
            let name = cursor.token()?;
            let value = cursor.eat('=').then(|| cursor.value()).transpose()?;
            params.push((name, value));
        }
        offers.push(Offer { name, params });
        if !cursor.0.is_empty() && !cursor.0.starts_with(',') {
            return Err(Malformed);
        }
    }
}

/// What is left of a header. White space is skipped before and behind whatever is read.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn skip(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip();
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                self.skip();
                true
            }
            None => false,
        }
    }

    fn token(&mut self) -> Result<&'a str, Malformed> {
        let end = self.0.bytes().take_while(|byte| is_token(*byte)).count();
        if end == 0 {
            return Err(Malformed);
        }
        // Of ASCII alone, so that the end is no middle of a character.
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        self.skip();
        Ok(token)
    }

    /// A token, or a quoted string that holds one.
    fn value(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if !self.0.starts_with('"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = String::new();
        let mut chars = self.0.char_indices().skip(1);
        while let Some((at, char)) = chars.next() {
            let char = match char {
                '"' => {
                    self.0 = self.0.get(at + 1..).unwrap_or_default();
                    self.skip();
                    return if value.is_empty() {
                        Err(Malformed)
                    } else {
                        Ok(value.into())
                    };
                }
                '\\' => chars.next().ok_or(Malformed)?.1,
                char => char,
            };
            if !u8::try_from(char).is_ok_and(is_token) {
                return Err(Malformed);
            }
            value.push(char);
        }
        Err(Malformed)
    }
}

/// RFC 2616 section 2.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte)
}
