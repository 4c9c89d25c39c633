//! From a socket to the application's own HTTP service, without a network.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bounds::{BoxError, BoxFuture, MaybeSend, MaybeSync};
use crate::hub::Hub;
use crate::message::codec::{DecodeError, EncodeError};
#[cfg(feature = "http")]
use crate::service::body::Body;

/// The HTTP service of an application, as hooks call it: an adapter wraps the service that a server
/// was given.
pub trait HttpService: MaybeSend + MaybeSync + 'static {
    /// Returns the response to a request, with a body of at most `max_body` bytes.
    ///
    /// # Errors
    /// [`ApiError::Failed`] with the service's own error, [`ApiError::TooLarge`] for a longer body, whose
    /// rest is not read.
    fn call(
        &self,
        request: Request<Bytes>,
        max_body: usize,
    ) -> BoxFuture<'static, Result<Response<Bytes>, ApiError>>;

    /// Returns the response when its head is there; its body arrives later, and may have no end. By
    /// default the body is read first, up to [`ApiRequest::MAX_BODY`].
    ///
    /// # Errors
    /// As [`call`](Self::call).
    #[cfg(feature = "http")]
    fn stream(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'static, Result<Response<Body>, ApiError>> {
        let whole = self.call(request, ApiRequest::MAX_BODY);
        Box::pin(async move { Ok(whole.await?.map(Body::from)) })
    }
}

/// The place where a hub finds the service.
pub(crate) enum ServiceRef {
    /// Owned by the hub.
    Kept(Arc<dyn HttpService>),
    /// Owned by a server, whose service may hold the hub itself.
    Lent(Weak<dyn HttpService>),
}

impl ServiceRef {
    pub(crate) fn get(&self) -> Option<Arc<dyn HttpService>> {
        match self {
            Self::Kept(service) => Some(Arc::clone(service)),
            Self::Lent(service) => service.upgrade(),
        }
    }
}

/// The application's own HTTP service, called in memory: from [`Peer::api`](crate::Peer::api) and
/// [`Hub::api`](crate::Hub::api).
///
/// ```
/// # use crossws_core::{HookResult, Peer};
/// # #[derive(serde::Deserialize)] struct Health { ok: bool }
/// async fn open(peer: &Peer) -> HookResult {
///     let health: Health = peer.api().get("/health").await?.json()?;
///     peer.send(if health.ok { "healthy" } else { "ill" })?;
///     Ok(())
/// }
/// ```
///
/// The service is the server's: `.http(service)` of a server and of `TestServer`, `Options::http`
/// on Workers. The request goes through its middleware, with the headers that are set here and the
/// `Host` of the peer's own request. It carries no credentials of the client.
#[derive(Clone)]
#[must_use = "nothing is called until a request is awaited"]
pub struct Api {
    service: Option<Arc<dyn HttpService>>,
    base: String,
    host: Option<HeaderValue>,
    remote_addr: Option<SocketAddr>,
    hub: Hub,
}

impl Api {
    pub(crate) fn new(service: Option<Arc<dyn HttpService>>, hub: Hub) -> Self {
        Self {
            hub,
            service,
            base: String::new(),
            host: None,
            remote_addr: None,
        }
    }

    /// Creates an API for any service, and the hub of its application: for code that drives a
    /// service itself, such as a test server.
    pub fn of(service: Arc<dyn HttpService>, hub: Hub) -> Self {
        Self::new(Some(service), hub)
    }

    pub(crate) fn on_behalf_of(
        mut self,
        host: Option<HeaderValue>,
        remote_addr: Option<SocketAddr>,
    ) -> Self {
        self.host = host;
        self.remote_addr = remote_addr;
        self
    }

    /// Begins every path with this one: with `/api`, `health` and `/health` are both `/api/health`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(api: Api) -> Result<(), ApiError> {
    /// let api = api.base("/api/v1");
    /// api.get("health").await?.success()?;
    /// # Ok(()) }
    /// ```
    pub fn base(mut self, base: impl AsRef<str>) -> Self {
        self.base = base.as_ref().trim_matches('/').to_owned();
        self
    }

    /// Creates a request with this method, for a path below the base, which may have a query.
    pub fn request(&self, method: Method, path: impl AsRef<str>) -> ApiRequest {
        let path = path.as_ref().trim_start_matches('/');
        let target = match self.base.as_str() {
            "" => format!("/{path}"),
            base if path.is_empty() => format!("/{base}"),
            base => format!("/{base}/{path}"),
        };
        let mut headers = HeaderMap::new();
        let host = self.host.clone();
        headers.insert(HOST, host.unwrap_or(HeaderValue::from_static("localhost")));
        ApiRequest {
            service: self.service.clone(),
            method,
            target,
            headers,
            body: Ok(Bytes::new()),
            remote_addr: self.remote_addr,
            hub: self.hub.clone(),
            max_body: ApiRequest::MAX_BODY,
        }
    }

    /// Creates a `GET` request.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(api: Api) -> Result<(), ApiError> {
    /// let pages = api.get("/pages").await?;
    /// println!("{}", pages.status());
    /// # Ok(()) }
    /// ```
    pub fn get(&self, path: impl AsRef<str>) -> ApiRequest {
        self.request(Method::GET, path)
    }

    /// Creates a `POST` request.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(api: Api) -> Result<(), ApiError> {
    /// api.post("/orders").json(&["apple"]).await?.success()?;
    /// # Ok(()) }
    /// ```
    pub fn post(&self, path: impl AsRef<str>) -> ApiRequest {
        self.request(Method::POST, path)
    }

    /// Creates a `PUT` request.
    pub fn put(&self, path: impl AsRef<str>) -> ApiRequest {
        self.request(Method::PUT, path)
    }

    /// Creates a `PATCH` request.
    pub fn patch(&self, path: impl AsRef<str>) -> ApiRequest {
        self.request(Method::PATCH, path)
    }

    /// Creates a `DELETE` request.
    pub fn delete(&self, path: impl AsRef<str>) -> ApiRequest {
        self.request(Method::DELETE, path)
    }

    /// Returns whether there is a service to call.
    pub fn is_there(&self) -> bool {
        self.service.is_some()
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("base", &self.base)
            .field("is_there", &self.is_there())
            .finish_non_exhaustive()
    }
}

/// A request to the application's own HTTP service: await it.
///
/// # Errors
/// The result may be an [`ApiError`]. An error status is not an error: see [`ApiResponse::status`].
///
/// # Cancel safety
/// Dropping the future drops the service's future.
#[must_use = "nothing is called until it is awaited"]
pub struct ApiRequest {
    service: Option<Arc<dyn HttpService>>,
    method: Method,
    target: String,
    headers: HeaderMap,
    /// An error is kept until the request is awaited, so that building never fails.
    body: Result<Bytes, ApiError>,
    remote_addr: Option<SocketAddr>,
    hub: Hub,
    max_body: usize,
}

impl ApiRequest {
    /// The most bytes of a response's body, unless [`max_body`](Self::max_body) says otherwise: 1 MiB.
    pub const MAX_BODY: usize = 1 << 20;

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
        let service = self.service.ok_or(ApiError::NoService)?;
        let mut request = Request::new(self.body?);
        let uri = Uri::try_from(self.target);
        *request.uri_mut() = uri.map_err(|error| ApiError::Request(error.into()))?;
        *request.method_mut() = self.method;
        *request.headers_mut() = self.headers;
        // A request's extensions must be `Send`, which a hub on Workers is not.
        #[cfg(not(target_arch = "wasm32"))]
        request.extensions_mut().insert(self.hub);
        #[cfg(target_arch = "wasm32")]
        drop(self.hub);
        if let Some(addr) = self.remote_addr {
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

impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the query and the headers, which may hold a token.
        let path = self.target.split('?').next().unwrap_or_default();
        f.debug_struct("ApiRequest")
            .field("method", &self.method)
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

/// The response of the application's HTTP service: any status, and the whole body.
#[derive(Debug, Clone)]
pub struct ApiResponse(Response<Bytes>);

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
    /// The response's body is longer than [`ApiRequest::max_body`].
    #[error("the response's body has more than {most} bytes")]
    TooLarge {
        /// The most that was allowed, in bytes.
        most: usize,
    },
    /// The status is not a success: only from [`ApiResponse::success`].
    #[error("the HTTP service responded {0}")]
    Status(StatusCode),
}

/// Appends a part of a query. The unreserved characters of RFC 3986 section 2.3 stay unencoded.
fn encode(part: &str, to: &mut String) {
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                to.push(char::from(byte));
            }
            _ => {
                const HEX: [char; 16] = [
                    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
                ];
                to.extend([
                    '%',
                    HEX[usize::from(byte >> 4)],
                    HEX[usize::from(byte & 15)],
                ]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;
    use serde_json::{Value, json};

    use super::*;

    /// Responds with a description of the request.
    struct Mirror;

    impl HttpService for Mirror {
        fn call(
            &self,
            request: Request<Bytes>,
            max_body: usize,
        ) -> BoxFuture<'static, Result<Response<Bytes>, ApiError>> {
            let body = json!({
                "method": request.method().as_str(),
                "target": request.uri().to_string(),
                "host": request.headers()[HOST].to_str().unwrap(),
                "type": request.headers().get(CONTENT_TYPE).map(|it| it.to_str().unwrap()),
                "body": String::from_utf8_lossy(request.body()),
                "max": max_body,
            });
            Box::pin(async move {
                let mut response = Response::new(Bytes::from(body.to_string()));
                *response.status_mut() = StatusCode::IM_A_TEAPOT;
                Ok(response)
            })
        }
    }

    fn ask(request: ApiRequest) -> Value {
        let response = block_on(request.into_future()).unwrap();
        assert_eq!(response.status(), 418);
        response.json().unwrap()
    }

    #[test]
    fn a_path_is_below_the_base() {
        let api = Api::of(Arc::new(Mirror), Hub::default());
        for (base, path, target) in [
            ("", "", "/"),
            ("", "health", "/health"),
            ("/", "/health", "/health"),
            ("/api", "health", "/api/health"),
            ("api/", "/health?deep=1", "/api/health?deep=1"),
            ("/api", "", "/api"),
        ] {
            let said = ask(api.clone().base(base).get(path));
            assert_eq!(said["target"], target, "{base} {path}");
        }
    }

    #[test]
    fn a_request_has_a_query_headers_and_a_body() {
        let api = Api::of(Arc::new(Mirror), Hub::default());
        let said = ask(api
            .post("/notes?x=1")
            .query("q", "a b&ž")
            .query("page", 2)
            .header("host", "app.example")
            .json(&json!({ "a": 1 })));
        assert_eq!(said["method"], "POST");
        assert_eq!(said["target"], "/notes?x=1&q=a%20b%26%C5%BE&page=2");
        assert_eq!(said["host"], "app.example");
        assert_eq!(said["type"], "application/json");
        assert_eq!(said["body"], r#"{"a":1}"#);
        let said = ask(api.put("/raw").body("text").max_body(7));
        assert_eq!((&said["body"], &said["max"]), (&json!("text"), &json!(7)));
    }

    #[test]
    fn what_is_no_request_is_an_error_and_calls_nothing() {
        let api = Api::of(Arc::new(Mirror), Hub::default());
        for request in [
            api.get("/a b"),
            api.get("/").header("a b", "c"),
            api.get("/").header("a", "c\n"),
        ] {
            let error = block_on(request.into_future()).unwrap_err();
            assert!(matches!(error, ApiError::Request(_)), "{error}");
        }
        let nothing = block_on(Api::new(None, Hub::default()).get("/").into_future()).unwrap_err();
        assert!(matches!(nothing, ApiError::NoService), "{nothing}");
    }

    #[test]
    fn only_success_is_a_success() {
        let response = |status: StatusCode| {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = status;
            ApiResponse(response)
        };
        assert!(response(StatusCode::CREATED).success().is_ok());
        let error = response(StatusCode::NOT_FOUND).success().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the HTTP service responded 404 Not Found"
        );
    }
}
