//! The response of the application's own HTTP service, or why there is none.

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::bounds::BoxError;
use crate::message::codec::{DecodeError, EncodeError};

/// The response of the application's HTTP service: any status, and the whole body.
#[derive(Debug, Clone)]
pub struct ApiResponse(pub(super) Response<Bytes>);

impl ApiResponse {
    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// Returns the body.
    pub fn bytes(&self) -> &Bytes {
        self.0.body()
    }

    /// Reads the body as text.
    ///
    /// # Errors
    /// [`DecodeError`] if it is not UTF-8.
    pub fn text(&self) -> Result<&str, DecodeError> {
        std::str::from_utf8(self.0.body()).map_err(DecodeError::new)
    }

    /// Reads the body as JSON, whatever the status and the `Content-Type`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(response: ApiResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// let names: Vec<String> = response.json()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`DecodeError`] if it is not valid JSON for the type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        serde_json::from_slice(self.0.body()).map_err(DecodeError::new)
    }

    /// Returns the response if its status is a success (2xx).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(response: ApiResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{}", response.success()?.text()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ApiError::Status`] otherwise.
    pub fn success(self) -> Result<Self, ApiError> {
        match self.status() {
            status if status.is_success() => Ok(self),
            status => Err(ApiError::Status(status)),
        }
    }

    /// Returns the HTTP response.
    pub fn into_response(self) -> Response<Bytes> {
        self.0
    }
}

/// Why the application's own HTTP service was not called, or gave no response.
///
/// ```
/// # use crossws_core::*;
/// use http::StatusCode;
///
/// async fn profile(peer: &Peer) -> HookResult {
///     match peer.api().get("/profile").await.and_then(ApiResponse::success) {
///         Ok(profile) => peer.send(profile.text()?)?,
///         Err(ApiError::Status(StatusCode::NOT_FOUND)) => peer.send("no profile yet")?,
///         Err(error) => return Err(error.into()),
///     };
///     Ok(())
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The server was given no HTTP service, or has ended.
    #[error("this application has no HTTP service: give the server one with `http(..)`")]
    NoService,
    /// The path or a header is not valid HTTP.
    #[error("not a request: {0}")]
    Request(#[source] http::Error),
    /// The request's body cannot be encoded.
    #[error("the request's body: {0}")]
    Encode(#[from] EncodeError),
    /// The service failed, or its response's body did.
    #[error("the HTTP service failed: {0}")]
    Failed(#[source] BoxError),
    /// The response's body is longer than [`ApiRequest::max_body`](crate::ApiRequest::max_body).
    #[error("the response's body has more than {most} bytes")]
    TooLarge {
        /// The most that was allowed, in bytes.
        most: usize,
    },
    /// The status is not a success: only from [`ApiResponse::success`].
    #[error("the HTTP service responded {0}")]
    Status(StatusCode),
}
