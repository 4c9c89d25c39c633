//! From a socket to the application's own HTTP service, without a network.

pub(crate) mod request;
pub(crate) mod response;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::header::{HOST, HeaderMap, HeaderValue};

use crate::hub::Hub;
use crate::peer::Peer;
use crate::service::api::request::ApiRequest;
use crate::service::http_service::HttpService;

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

impl Hub {
    /// Returns the application's own HTTP service, for hooks and tasks: see [`Api`].
    pub fn api(&self) -> Api {
        Api::new(self.http_service(), self.clone())
    }
}

impl Peer {
    /// Returns the application's own HTTP service, called without a network: see [`Api`]. Its
    /// requests carry the client's address and the host of the client's request, and no other
    /// header of it.
    pub fn api(&self) -> Api {
        let host = self.request().header("host").map(HeaderValue::from_str);
        Api {
            host: host.and_then(Result::ok),
            remote_addr: self.remote_addr(),
            ..self.hub().api()
        }
    }
}

impl Api {
    fn new(service: Option<Arc<dyn HttpService>>, hub: Hub) -> Self {
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
            api: self.clone(),
            method,
            target,
            headers,
            body: Ok(Bytes::new()),
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

crate::opaque_debug!([] Api, self => base: self.base, is_there: self.is_there());

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;
    use http::header::CONTENT_TYPE;
    use http::{Request, Response, StatusCode};
    use serde_json::{Value, json};

    use super::*;
    use crate::bounds::BoxFuture;
    use crate::service::api::response::{ApiError, ApiResponse};

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
