use crate::bounds::BoxError;

/// A value that could not be encoded in some codec. Its source says why.
///
/// ```
/// # use std::collections::HashMap;
/// # use crossws_core::*;
/// // The keys of a JSON object are strings.
/// let squares = HashMap::from([((0, 0), "a1")]);
/// let error: EncodeError = Message::from_json(&squares).unwrap_err();
/// assert_eq!(error.to_string(), "the value cannot be encoded: key must be a string");
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the value cannot be encoded: {0}")]
pub struct EncodeError(#[source] BoxError);

impl EncodeError {
    /// Creates the error from the codec's.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }
}

/// A payload that could not be decoded in some codec. Its source says why.
///
/// Codecs repeat the client's input, and this error is logged. Therefore its text has at most 1,000
/// characters of the source's, and control characters are escaped.
///
/// ```
/// # use crossws_core::*;
/// fn sum(peer: &Peer, message: &Message) -> Result<Sent, SendError> {
///     let numbers: Result<Vec<u32>, DecodeError> = message.json();
///     match numbers {
///         Ok(numbers) => peer.send(Json(numbers.iter().sum::<u32>())),
///         Err(error) => peer.send(format!("a list of numbers is needed: {error}")),
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the payload cannot be decoded: {}", excerpt(&.0.to_string(), 1_000))]
pub struct DecodeError(#[source] BoxError);

impl DecodeError {
    /// Creates the error from the codec's.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }
}

/// Returns the beginning of a text that a client may have chosen, for an error or a log: at most
/// `most` of its characters, with control characters escaped, so that it is one line.
pub fn excerpt(text: &str, most: usize) -> String {
    let mut excerpt = String::new();
    for c in text.chars().take(most) {
        match c.is_control() {
            true => excerpt.extend(c.escape_debug()),
            false => excerpt.push(c),
        }
    }
    excerpt
}
