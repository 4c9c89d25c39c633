use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::bounds::BoxError;
use crate::upgrade::InvalidHeader;
use crate::upgrade::request::attached::NotAttached;

/// A refused upgrade: any HTTP response, and its cause for the server's log.
///
/// `?` turns any error into a refusal if `From` is implemented for it.
///
/// ```
/// # use crossws_core::{Rejection, Upgrade, UpgradeRequest};
/// # use http::{Response, StatusCode};
/// struct NoTicket;
///
/// impl From<NoTicket> for Rejection {
///     fn from(_: NoTicket) -> Self {
///         Rejection::unauthorized("Bearer realm=\"crossws\"")
///     }
/// }
///
/// fn ticket(req: &UpgradeRequest) -> Result<&str, NoTicket> {
///     req.header("x-ticket").ok_or(NoTicket)
/// }
///
/// async fn upgrade(req: &UpgradeRequest) -> Result<Upgrade, Rejection> {
///     if ticket(req)? == "expired" {
///         return Err(Rejection::new(StatusCode::GONE, "get a new ticket"));
///     }
///     Ok(Upgrade::new())
/// }
/// ```
pub struct Rejection {
    // Boxed: a response is large, and refusals travel in `Result`s of small values.
    response: Box<Response<Bytes>>,
    source: Option<BoxError>,
}

impl Rejection {
    /// Creates a refusal with a status and a plain text body.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let rejection = Rejection::new(http::StatusCode::FORBIDDEN, "members only");
    /// assert_eq!(rejection.status(), 403);
    /// ```
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        Self::from(response)
    }

    /// Creates a 401 with a `WWW-Authenticate` challenge; a challenge that is not a valid header
    /// value is left out.
    ///
    /// ```
    /// # use crossws_core::*;
    /// assert_eq!(Rejection::unauthorized("Bearer").response().headers()["www-authenticate"], "Bearer");
    /// ```
    pub fn unauthorized(challenge: &str) -> Self {
        let mut rejection = Self::new(StatusCode::UNAUTHORIZED, "unauthorized");
        if let Ok(challenge) = HeaderValue::from_str(challenge) {
            let headers = rejection.response.headers_mut();
            headers.insert(http::header::WWW_AUTHENTICATE, challenge);
        }
        rejection
    }

    /// Creates a 503 with `Retry-After`: the server has no room now.
    pub fn unavailable(body: &'static str) -> Self {
        let mut rejection = Self::new(StatusCode::SERVICE_UNAVAILABLE, body);
        let headers = rejection.response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        rejection
    }

    /// Creates a 500 for an error that the client must not see; the error becomes the source.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let rejection = Rejection::internal("the database is down");
    /// assert!(rejection.source().is_some() && rejection.response().body() != "the database is down");
    /// ```
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal server error").with_source(source)
    }

    /// Adds the cause of the refusal: it is logged, not sent.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns the response to send.
    pub fn response(&self) -> &Response<Bytes> {
        &self.response
    }

    /// Returns the response to send, to change it.
    pub fn response_mut(&mut self) -> &mut Response<Bytes> {
        &mut self.response
    }

    /// Returns the response to send.
    pub fn into_response(self) -> Response<Bytes> {
        *self.response
    }

    /// Returns the cause of the refusal.
    pub fn source(&self) -> Option<&BoxError> {
        self.source.as_ref()
    }
}

crate::opaque_debug!([] Rejection, self => status: self.status(), source: self.source);

/// Writes the status, and the cause.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}", self.status())?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&**self.source.as_ref()?)
    }
}

impl<B: Into<Bytes>> From<Response<B>> for Rejection {
    /// Converts a response. One of the class 1xx is not a refusal, and becomes a 500.
    fn from(response: Response<B>) -> Self {
        if response.status().is_informational() {
            return Self::internal(format!("an upgrade refused with {}", response.status()));
        }
        Self {
            response: Box::new(response.map(Into::into)),
            source: None,
        }
    }
}

impl From<StatusCode> for Rejection {
    /// Converts a status, with its reason phrase as the body.
    fn from(status: StatusCode) -> Self {
        Self::new(status, status.canonical_reason().unwrap_or_default())
    }
}

/// Errors that are the server's own fault.
macro_rules! internal {
    ($($error:ty),+) => {$(
        impl From<$error> for Rejection {
            fn from(error: $error) -> Self {
                Self::internal(error)
            }
        }
    )+};
}

internal!(InvalidHeader, NotAttached, http::Error, BoxError);
