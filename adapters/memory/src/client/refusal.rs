use std::fmt;

use bytes::Bytes;
use crossws_core::{Rejection, UpgradeRequest};
use crossws_proto::handshake::AnswerError;
use http::{Response, StatusCode};

/// A connection that the server refused: the HTTP response in place of a 101.
///
/// ```
/// use crossws_core::{Rejection, hooks};
/// use crossws_memory::TestServer;
///
/// # futures_lite::future::block_on(async {
/// let closed = hooks().on_upgrade(|_| async { Err(Rejection::unauthorized("Bearer")) });
/// let error = TestServer::new(closed).connect("/").await.unwrap_err();
/// assert_eq!(error.status(), 401);
/// assert_eq!(error.response().headers()["www-authenticate"], "Bearer");
/// # });
/// ```
#[derive(Debug)]
pub struct ConnectError {
    // Boxed, because `Result`s with small values contain it.
    response: Box<Response<Bytes>>,
    unclaimed: Option<Box<UpgradeRequest>>,
}

impl ConnectError {
    pub(crate) fn rejected(rejection: Rejection) -> Self {
        Self {
            response: Box::new(rejection.into_response()),
            unclaimed: None,
        }
    }

    pub(crate) fn unclaimed(request: Box<UpgradeRequest>) -> Self {
        Self {
            unclaimed: Some(request),
            ..Self::rejected(Rejection::from(StatusCode::NOT_FOUND))
        }
    }

    pub(crate) fn malformed(error: impl fmt::Display) -> Self {
        let body = format!("not a request: {error}");
        Self::rejected(Rejection::new(StatusCode::BAD_REQUEST, body))
    }

    /// The client refused the server's answer.
    pub(crate) fn unacceptable(error: AnswerError) -> Self {
        Self::rejected(Rejection::new(StatusCode::BAD_REQUEST, error.to_string()))
    }

    /// The connection's future was dropped: by a forced shutdown, or in a panic.
    pub(crate) fn dropped() -> Self {
        Self::rejected(Rejection::unavailable("the connection was dropped"))
    }

    /// Returns the response: the hook's own; 400 for an invalid request (a header or a path that
    /// does not parse), and where client and server cannot agree on compression that one of them
    /// requires; 403 for a foreign origin; 404 when no hooks claim the request; 503 when the
    /// upgrade took longer than `Limits::upgrade_timeout`, or when the hub is full or shutting
    /// down.
    pub fn response(&self) -> &Response<Bytes> {
        &self.response
    }

    /// Returns the response, owned.
    pub fn into_response(self) -> Response<Bytes> {
        *self.response
    }

    /// Returns the response's status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns the request, if no hooks claimed it: a server passes it to its HTTP service, or
    /// responds with 404 if there is none. `None` for every other refusal.
    pub fn unclaimed_request(&self) -> Option<&UpgradeRequest> {
        self.unclaimed.as_deref()
    }

    /// Returns whether no hooks claimed the request.
    pub fn is_unclaimed(&self) -> bool {
        self.unclaimed.is_some()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(self.response.body());
        write!(f, "the server refused with {}: {body}", self.status())
    }
}

impl std::error::Error for ConnectError {}
