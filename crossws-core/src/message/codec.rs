use crate::bounds::BoxError;

/// A value that could not be encoded, in whatever codec: its source says why.
#[derive(Debug, thiserror::Error)]
#[error("the value cannot be encoded: {0}")]
pub struct EncodeError(#[source] BoxError);

impl EncodeError {
    /// The codec failed with this error.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }
}

/// A payload that could not be decoded, in whatever codec: its source says why.
///
/// Codecs repeat what the client has sent, and this is logged. So the text has at most 1,000 characters
/// of the source's, and its control characters are escaped.
#[derive(Debug, thiserror::Error)]
#[error("the payload cannot be decoded: {}", excerpt(&.0.to_string(), 1_000))]
pub struct DecodeError(#[source] BoxError);

impl DecodeError {
    /// The codec failed with this error.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }
}

/// The beginning of a text that a client may have chosen, for an error or a log: at most so many of its
/// characters, control characters escaped, so that it is one line.
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
