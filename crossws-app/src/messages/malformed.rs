use crossws_core::{BoxError, CloseCode, DecodeError};

use crate::request::fields::error::shown;

/// A message that never reached the `message` hook, and why.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// let app = typed(
///     messages()
///         .on_message(|peer: TypedPeer<u8>, number: u8| async move { peer.send(number) })
///         .on_error(|_: TypedPeer<u8>, error| async move {
///             match error.downcast_ref() {
///                 Some(Malformed::Invalid(_)) => OnError::Keep,
///                 _ => OnError::default(),
///             }
///         }),
/// )
/// .on_malformed(OnMalformed::Fail);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The message is not in the route's format, does not fit the type, or exceeds
    /// [`DecodeLimits`](crate::DecodeLimits).
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The route's transform refused it.
    #[error("the message cannot be transformed: {0}")]
    Transform(#[source] BoxError),
    /// The message was decoded, and the route's validation refused the value.
    #[error("the message is invalid: {0}")]
    Invalid(#[source] BoxError),
    /// The message names an event or a method that the route does not have.
    #[error("`{}` is unknown", shown(.0))]
    Unknown(String),
}

/// What happens to a client whose message is malformed: see [`Malformed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMalformed {
    /// The message is skipped, with a warning in the log. The connection stays.
    Skip,
    /// The client gets `{"type":"error","message":…}` in the route's format, with the reason, which
    /// may name fields and variants of the application's types. The connection stays.
    Reply,
    /// The connection is closed with this code and the reason, cut to the length that fits into a
    /// close frame.
    Close(CloseCode),
    /// The `error` hook gets the [`Malformed`] as any other error of the `message` hook:
    /// [`Error::downcast_ref`](crossws_core::Error::downcast_ref) finds it.
    Fail,
}

impl Default for OnMalformed {
    /// Returns `Close` with 1007.
    fn default() -> Self {
        Self::Close(CloseCode::INVALID)
    }
}

impl OnMalformed {
    /// Applies the policy. `reply` sends the error to the client.
    pub(crate) fn apply(
        self,
        peer: &crossws_core::Peer,
        malformed: Malformed,
        reply: impl FnOnce(&str) -> crossws_core::HookResult,
    ) -> crossws_core::HookResult {
        match self {
            Self::Skip => {
                tracing::warn!(%peer, error = %malformed, "a malformed message is skipped");
                Ok(())
            }
            Self::Reply => reply(&malformed.to_string()),
            Self::Close(code) => {
                tracing::debug!(%peer, error = %malformed, "closing a peer for a malformed message");
                peer.close(code, malformed.to_string());
                Ok(())
            }
            Self::Fail => Err(malformed.into()),
        }
    }
}
