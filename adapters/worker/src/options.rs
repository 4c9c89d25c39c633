use std::fmt;
use std::sync::Arc;

use crossws_core::adapter::HttpService;
use crossws_core::http::HeaderName;
use crossws_core::http::header::{HOST, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use crossws_core::{Hub, Limits, Origin, Settings};

/// How a Worker and its objects serve. Give the same to both: the Worker keeps the origin policy
/// and `Limits::upgrade_timeout`, the object all other limits.
#[derive(Clone)]
#[must_use]
pub struct Options {
    settings: Settings,
    kept_headers: Vec<HeaderName>,
    http: Option<Arc<dyn HttpService>>,
    pub(crate) auto_response: Option<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            kept_headers: vec![
                HOST,
                ORIGIN,
                SEC_WEBSOCKET_PROTOCOL,
                SEC_WEBSOCKET_EXTENSIONS,
            ],
            http: None,
            auto_response: None,
        }
    }
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What holds for every connection whose route does not say otherwise. Replaces what was set
    /// before. The platform compresses by itself, whatever `deflate` says.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The bounds that every connection keeps. The platform sends no pings and finds lost
    /// connections by itself: `ping_interval` only says that silence is no reason to close.
    /// Without it (`None`), `idle_timeout` counts what hooks hear, and auto-responses. What the
    /// platform queues for a slow client is not seen, so that the bounds of queues do not apply.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Which pages may connect. By default only those from the same host.
    pub fn origin(mut self, origin: Origin) -> Self {
        self.settings.origin = origin;
        self
    }

    /// Keeps these request headers over a sleep too, besides `host`, `origin` and what the client
    /// offered (`sec-websocket-protocol`, `sec-websocket-extensions`). They count against the
    /// budget of each peer.
    pub fn keep_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.kept_headers.extend(names);
        self
    }

    /// Answers this text with that one without waking the object: no hook hears of it.
    pub fn auto_response(mut self, ask: impl Into<String>, answer: impl Into<String>) -> Self {
        self.auto_response = Some((ask.into(), answer.into()));
        self
    }

    /// The application's own fetch handler, which hooks call without a network with
    /// [`Peer::api`](crossws_core::Peer::api), in the object as in the Worker. Without one that is
    /// [`ApiError::NoService`](crossws_core::ApiError::NoService).
    ///
    /// ```
    /// # async fn api(_: worker::Request, _: worker::Env) -> worker::Result<worker::Response> { worker::Response::ok("") }
    /// fn options(env: &worker::Env) -> crossws_worker::Options {
    ///     let env = env.clone();
    ///     crossws_worker::Options::new().http(move |request| api(request, env.clone()))
    /// }
    /// ```
    pub fn http<F, Fut>(mut self, fetch: F) -> Self
    where
        F: Fn(worker::Request) -> Fut + 'static,
        Fut: Future<Output = worker::Result<worker::Response>> + 'static,
    {
        self.http = Some(crate::api::service(fetch));
        self
    }

    pub(crate) fn keeps(&self, header: &str) -> bool {
        self.kept_headers.iter().any(|kept| kept == header)
    }

    pub(crate) fn hub(&self) -> Hub {
        let builder = Hub::builder();
        let builder = match &self.http {
            Some(http) => builder.http(Arc::clone(http)),
            None => builder,
        };
        builder
            .settings(self.settings.clone())
            .kept_headers(self.kept_headers.iter().cloned())
            // Other objects hold the rest.
            .partial()
            .build()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("settings", &self.settings)
            .field("kept_headers", &self.kept_headers)
            .field("auto_response", &self.auto_response)
            .finish_non_exhaustive()
    }
}
