//! A request to the application's own HTTP service.

use std::fmt::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
#[cfg(feature = "http")]
use http::Response;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use serde::Serialize;

use crate::bounds::BoxFuture;
use crate::message::codec::EncodeError;
use crate::service::api::Api;
use crate::service::api::response::{ApiError, ApiResponse};
#[cfg(feature = "http")]
use crate::service::body::Body;
use crate::service::http_service::{self, HttpService};

/// A request to the application's own HTTP service: await it.
///
/// # Errors
/// The result may be an [`ApiError`]. An error status is not an error: see [`ApiResponse::status`].
///
/// # Cancel safety
/// Dropping the future drops the service's future.
#[must_use = "nothing is called until it is awaited"]
pub struct ApiRequest {
    pub(super) api: Api,
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    /// An error is kept until the request is awaited, so that building never fails.
    pub(super) body: Result<Bytes, ApiError>,
    pub(super) max_body: usize,
}

impl ApiRequest {
    /// The most bytes of a response's body, unless [`max_body`](Self::max_body) says otherwise: 1 MiB.
    pub const MAX_BODY: usize = http_service::MAX_BODY;

    /// Adds a pair to the query, percent-encoded.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(api: Api) -> Result<(), ApiError> {
    /// api.get("/search").query("q", "web sockets").query("page", 2).await?;
    /// # Ok(()) }
    /// ```
    pub fn query(mut self, name: impl AsRef<str>, value: impl fmt::Display) -> Self {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        self.target.push(separator);
        encode(name.as_ref(), &mut self.target);
        self.target.push('=');
        encode(&value.to_string(), &mut self.target);
        self
    }

    /// Adds a header; several of one name are all sent.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(api: Api) -> Result<(), ApiError> {
    /// api.get("/private").header("authorization", "Bearer abc").await?;
    /// # Ok(()) }
    /// ```
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::try_from(name.as_ref()).map_err(http::Error::from);
        let value = HeaderValue::from_bytes(value.as_ref()).map_err(http::Error::from);
        match name.and_then(|name| Ok((name, value?))) {
            Ok((HOST, value)) => {
                self.headers.insert(HOST, value);
            }
            Ok((name, value)) => {
                self.headers.append(name, value);
            }
            Err(error) => self.fail(ApiError::Request(error)),
        }
        self
    }

    /// Sets the body. Its `Content-Type` is a [header](Self::header).
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        if self.body.is_ok() {
            self.body = Ok(body.into());
        }
        self
    }

    /// Sets a body of JSON, and `Content-Type: application/json`.
    pub fn json(mut self, body: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(body) {
            Ok(json) => {
                let json_type = HeaderValue::from_static("application/json");
                self.headers.insert(CONTENT_TYPE, json_type);
                self.body(json)
            }
            Err(error) => {
                self.fail(ApiError::Encode(EncodeError::new(error)));
                self
            }
        }
    }

    /// Sets the most bytes of the response's body. A longer one is an error. Default
    /// [`MAX_BODY`](Self::MAX_BODY).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(api: Api) -> Result<(), ApiError> {
    /// let page = api.get("/page").max_body(4 << 10).await?;
    /// # Ok(()) }
    /// ```
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Keeps the first error.
    fn fail(&mut self, error: ApiError) {
        if self.body.is_ok() {
            self.body = Err(error);
        }
    }

    /// Sends the request, and returns the response when its head is there. The body arrives later,
    /// and may have no end, as an event stream's. The most bytes of a body do not apply.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(api: Api) -> Result<(), ApiError> {
    /// let response = api.get("/events").header("last-event-id", "7").stream().await?;
    /// let body: Body = response.into_body();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As awaiting the request itself.
    ///
    /// # Cancel safety
    /// Dropping the future drops the service's future.
    #[cfg(feature = "http")]
    pub async fn stream(self) -> Result<Response<Body>, ApiError> {
        let (service, request, _) = self.into_request()?;
        service.stream(request).await
    }

    async fn run(self) -> Result<ApiResponse, ApiError> {
        let (service, request, max_body) = self.into_request()?;
        let response = service.call(request, max_body).await?;
        Ok(ApiResponse(response))
    }

    /// Returns the service, the request and the most bytes of the response's body.
    #[allow(clippy::type_complexity)]
    fn into_request(self) -> Result<(Arc<dyn HttpService>, Request<Bytes>, usize), ApiError> {
        let service = self.api.service.ok_or(ApiError::NoService)?;
        let mut request = Request::new(self.body?);
        let uri = Uri::try_from(self.target);
        *request.uri_mut() = uri.map_err(|error| ApiError::Request(error.into()))?;
        *request.method_mut() = self.method;
        *request.headers_mut() = self.headers;
        // A request's extensions must be `Send`, which a hub on Workers is not.
        #[cfg(not(target_arch = "wasm32"))]
        request.extensions_mut().insert(self.api.hub);
        #[cfg(target_arch = "wasm32")]
        drop(self.api.hub);
        if let Some(addr) = self.api.remote_addr {
            request.extensions_mut().insert(addr);
        }
        Ok((service, request, self.max_body))
    }
}

impl IntoFuture for ApiRequest {
    type Output = Result<ApiResponse, ApiError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

// Without the query and the headers, which may hold a token.
crate::opaque_debug!([] ApiRequest, self =>
    method: self.method, path: self.target.split('?').next().unwrap_or_default());

/// Appends a part of a query. The unreserved characters of RFC 3986 section 2.3 stay unencoded.
fn encode(part: &str, to: &mut String) {
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                to.push(char::from(byte));
            }
            _ => {
                let _ = write!(to, "%{byte:02X}");
            }
        }
    }
}
