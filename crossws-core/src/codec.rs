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
#[error("the payload cannot be decoded: {}", excerpt(&.0.to_string()))]
pub struct DecodeError(#[source] BoxError);

impl DecodeError {
    /// The codec failed with this error.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }
}

fn excerpt(text: &str) -> String {
    const MOST: usize = 1_000;
    let mut excerpt = String::new();
    for c in text.chars().take(MOST) {
        match c.is_control() {
            true => excerpt.extend(c.escape_debug()),
            false => excerpt.push(c),
        }
    }
    excerpt
}
