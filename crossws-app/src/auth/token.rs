//! The places where clients put tokens.

use std::borrow::Cow;

use crossws_core::http::header::AUTHORIZATION;
use crossws_core::{Rejection, UpgradeRequest};

use crate::auth::challenge::Challenge;
use crate::request::{cookies, query};

pub(crate) fn bearer(request: &UpgradeRequest) -> Result<&str, NoToken> {
    let missing = NoToken(TokenPlace::Authorization);
    let value = request.header(AUTHORIZATION).ok_or(missing)?;
    let (scheme, token) = value.trim().split_once(' ').ok_or(missing)?;
    let token = token.trim_start();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(token)
    } else {
        Err(missing)
    }
}

pub(crate) fn in_query<'r>(
    request: &'r UpgradeRequest,
    name: &'static str,
) -> Result<Cow<'r, str>, NoToken> {
    let value = request.query().and_then(|query| query::first(query, name));
    value
        .filter(|token| !token.is_empty())
        .ok_or(NoToken(TokenPlace::Query(name)))
}

pub(crate) fn in_cookie<'r>(
    request: &'r UpgradeRequest,
    name: &'static str,
) -> Result<&'r str, NoToken> {
    let value = cookies::first(request, name);
    value
        .filter(|token| !token.is_empty())
        .ok_or(NoToken(TokenPlace::Cookie(name)))
}

pub(crate) fn in_protocol<'r>(
    request: &'r UpgradeRequest,
    marker: &'static str,
) -> Result<&'r str, NoToken> {
    let mut offered = request.protocols();
    offered
        .find(|protocol| *protocol == marker)
        .and_then(|_| offered.next())
        .ok_or(NoToken(TokenPlace::Protocol(marker)))
}

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
