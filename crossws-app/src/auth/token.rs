//! The places where clients put tokens.

use crossws_core::Rejection;

use crate::auth::challenge::Challenge;

/// A request without the required token: see [`Router::authenticate`](crate::Router::authenticate). As a
/// rejection it is a 401 with a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoToken(pub(crate) TokenPlace);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenPlace {
    #[error("no token in the `authorization` header")]
    Authorization,
    #[error("no token in the query's `{0}`")]
    Query(&'static str),
    #[error("no token in the cookie `{0}`")]
    Cookie(&'static str),
    #[error("no token in the subprotocols after `{0}`")]
    Protocol(&'static str),
    /// The realm.
    #[error("no valid name and password for `{0}`")]
    Basic(&'static str),
}

impl NoToken {
    /// Returns the challenge for the client.
    pub fn challenge(self) -> Challenge {
        match self.0 {
            TokenPlace::Basic(realm) => Challenge::basic(realm),
            _ => Challenge::bearer(),
        }
    }
}

impl From<NoToken> for Rejection {
    fn from(error: NoToken) -> Self {
        Self::from(error.challenge()).with_source(error)
    }
}
