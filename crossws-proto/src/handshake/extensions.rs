//! The header `Sec-WebSocket-Extensions` (RFC 6455 section 9.1), and the negotiation of
//! permessage-deflate in it.

pub(super) mod answer;
pub(crate) mod offer;
mod terms;

use std::borrow::Cow;

use crossws_core::Deflate;
use crossws_core::adapter::is_token;

use self::terms::Terms;
use crate::deflate::{Inflater, Negotiated, Outgoing};

/// The extension's name.
const NAME: &str = "permessage-deflate";

/// The parameters that the two sides have agreed on, with the state that one side needs for them.
#[derive(Debug)]
pub(crate) struct Agreement {
    pub(crate) negotiated: Negotiated,
    /// The value of the response's header.
    pub(super) answer: String,
    pub(crate) inflater: Inflater,
}

impl Agreement {
    /// Creates the agreement on the terms of a response. This side compresses for a window of
    /// `window_bits`, and `context` is what it keeps of the other side's messages.
    fn new(
        config: &Deflate,
        terms: &Terms,
        window_bits: u8,
        takeover: bool,
        context: Option<Inflater>,
    ) -> Self {
        Self {
            negotiated: Negotiated {
                outgoing: Outgoing::new(config, window_bits, takeover),
                incoming_takeover: context.is_some(),
                max_context_memory: config.max_context_memory,
            },
            answer: terms.to_string(),
            inflater: context.unwrap_or_else(Inflater::per_message),
        }
    }
}

/// The header's value does not have the form that RFC 6455 section 9.1 demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Sec-WebSocket-Extensions header is malformed")]
#[non_exhaustive]
pub struct Malformed;

/// One extension of a header, with its parameters.
#[derive(Debug, PartialEq)]
struct Extension<'a> {
    name: &'a str,
    params: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// Returns the extensions of a header: none if it is blank.
fn parse(header: &[u8]) -> Result<Vec<Extension<'_>>, Malformed> {
    let header = std::str::from_utf8(header).map_err(|_| Malformed)?;
    let mut cursor = Cursor(header);
    let mut extensions = Vec::new();
    loop {
        // A list may have empty elements (RFC 2616 section 2.1).
        while cursor.eat(',') {}
        if cursor.0.is_empty() {
            return Ok(extensions);
        }
        let name = cursor.token()?;
        let mut params = Vec::new();
        while cursor.eat(';') {
            let name = cursor.token()?;
            let value = cursor.eat('=').then(|| cursor.value()).transpose()?;
            params.push((name, value));
        }
        extensions.push(Extension { name, params });
        if !cursor.0.is_empty() && !cursor.0.starts_with(',') {
            return Err(Malformed);
        }
    }
}

/// The unparsed rest of a header. White space before and after each token is skipped.
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
        let end = self.0.find([',', ';', '=', ' ', '\t']);
        let (token, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        self.skip();
        is_token(token).then_some(token).ok_or(Malformed)
    }

    /// Reads a token, or a quoted string that holds one.
    fn value(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let Some(quoted) = self.0.strip_prefix('"') else {
            return self.token().map(Cow::Borrowed);
        };
        let mut value = String::new();
        let mut chars = quoted.chars();
        loop {
            match chars.next().ok_or(Malformed)? {
                '"' => break,
                '\\' => value.push(chars.next().ok_or(Malformed)?),
                char => value.push(char),
            }
        }
        self.0 = chars.as_str();
        self.skip();
        is_token(&value).then_some(value.into()).ok_or(Malformed)
    }
}
