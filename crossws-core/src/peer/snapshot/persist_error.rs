use std::fmt;

/// Why a peer could not be stored. The stored state did not change.
///
/// ```
/// # use crossws_core::*;
/// fn is_too_large(error: &SubscribeError) -> bool {
///     matches!(error, SubscribeError::Persist(PersistError::TooBig { .. }))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PersistError {
    /// There is no room for it.
    #[error("not stored: {len} bytes, at most {most} fit; {part} alone: {part_len} bytes")]
    TooBig {
        /// The whole length, in bytes.
        len: usize,
        /// The room, in bytes.
        most: usize,
        /// The largest part.
        part: SnapshotPart,
        /// The length of that part, in bytes.
        part_len: usize,
    },
    /// The context does not convert to JSON.
    #[error("not stored: the context does not convert to JSON: {0}")]
    Context(String),
    /// The platform did not store it.
    #[error("not stored: {0}")]
    Platform(String),
}

/// A part of a [`Snapshot`](crate::adapter::Snapshot), as errors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SnapshotPart {
    /// The request's target, its route, the route's limits and parameters.
    Target,
    /// The request's headers that are kept.
    Headers,
    /// The namespace's name.
    Namespace,
    /// The context.
    Context,
    /// The topics and patterns.
    Topics,
    /// The named timers.
    Timers,
    /// The identity and the tags.
    Labels,
}

impl fmt::Display for SnapshotPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Target => "the request's target",
            Self::Headers => "the request's headers",
            Self::Namespace => "the namespace's name",
            Self::Context => "the context",
            Self::Topics => "the topics",
            Self::Timers => "the timers",
            Self::Labels => "the identity and the tags",
        })
    }
}
