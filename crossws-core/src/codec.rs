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
#[derive(Debug, thiserror::Error)]
#[error("the payload cannot be decoded: {0}")]
pub struct DecodeError(#[source] BoxError);

impl DecodeError {
    /// The codec failed with this error.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }
}
