use std::sync::Arc;

use crossws_core::adapter::{Background, HubChoice};
use crossws_core::http::header::{HOST, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use crossws_core::{Capabilities, Hub, HubBuilder, hub_setters};

use crate::durable::retained::{Retained, Retaining, RetainingOf};

/// How a Worker and its objects serve. Give the same options to both: the Worker applies the origin
/// policy and `Limits::upgrade_timeout`, the object all other limits.
///
/// The platform compresses by itself, whatever `deflate` says. It sends no pings and detects lost
/// connections by itself: `Limits::ping_interval` only means that silence is no reason to close.
/// Without it (`None`), `idle_timeout` counts events that hooks get, and auto-responses. The
/// adapter cannot observe the platform's queue for a slow client, so the bounds of queues do not
/// apply, except to those of event streams, which the object writes itself.
///
/// During a sleep a peer keeps the headers `host`, `origin`, the client's offers
/// (`sec-websocket-protocol`, `sec-websocket-extensions`), and those that `keep_headers` names.
/// They count against the budget of each peer.
#[derive(Clone)]
#[must_use]
pub struct Options {
    hub: HubChoice,
    pub(crate) auto_response: Option<(String, String)>,
    #[cfg(feature = "sse")]
    pub(crate) events: crossws_sse::StreamSettings,
    pub(crate) retained: Option<RetainingOf>,
}

impl Default for Options {
    fn default() -> Self {
        let options = Self {
            // Other objects hold the remaining peers.
            hub: HubChoice::default().change("partial", HubBuilder::partial),
            auto_response: None,
            #[cfg(feature = "sse")]
            events: crossws_sse::StreamSettings::default(),
            retained: None,
        };
        options.keep_headers([
            HOST,
            ORIGIN,
            SEC_WEBSOCKET_PROTOCOL,
            SEC_WEBSOCKET_EXTENSIONS,
        ])
    }
}

impl Options {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    hub_setters!();

    /// Replies to the text `ask` with `answer` without waking the object. No hook gets the text.
    pub fn auto_response(mut self, ask: impl Into<String>, answer: impl Into<String>) -> Self {
        self.auto_response = Some((ask.into(), answer.into()));
        self
    }

    /// Sets how connections over event streams behave: see [`Objects::events`](crate::Objects::events).
    ///
    /// ```
    /// use std::time::Duration;
    /// use crossws_sse::StreamSettings;
    ///
    /// let settings = StreamSettings::new().grace(Duration::from_secs(60));
    /// let options = crossws_worker::Options::new().events(settings);
    /// ```
    #[cfg(feature = "sse")]
    pub fn events(mut self, settings: crossws_sse::StreamSettings) -> Self {
        self.events = settings;
        self
    }

    /// Lets topics [retain](crossws_core::To::retained) messages, which the object's storage keeps during a
    /// sleep. The object reads them whenever it wakes, and delivers no event before. Messages to
    /// clients wait until a retained one is stored. A message may have 120 KiB, and the names of its
    /// namespace and its topic some 2,000 bytes together. Off by default: a retained publication is
    /// then an error.
    ///
    /// ```
    /// let options = crossws_worker::Options::new().retained();
    /// ```
    pub fn retained(mut self) -> Self {
        self.retained = Some(Retained::boxed);
        self
    }

    /// Sets the application's own fetch handler, which hooks call without a network with
    /// [`Peer::api`](crossws_core::Peer::api), in the object and in the Worker. Without a handler,
    /// the call fails with [`ApiError::NoService`](crossws_core::ApiError::NoService).
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
        self.hub = self
            .hub
            .change("http", |hub| hub.http(crate::http::api::service(fetch)));
        self
    }

    pub(crate) fn keeps(&self, header: &str) -> bool {
        let mut kept = self.hub.own().kept_headers().iter();
        kept.any(|kept| kept == header)
    }

    /// Returns a hub of connections with these capabilities, whose tasks run on `background`.
    pub(crate) fn hub(
        &self,
        capabilities: Capabilities,
        retained: Option<&dyn Retaining>,
        background: Arc<dyn Background>,
    ) -> Hub {
        let lacks = capabilities.missing();
        let hub = self.hub.own().clone().lacks(lacks);
        let hub = match retained {
            Some(retained) => retained.set(hub),
            None => hub,
        };
        let hub = hub.build();
        hub.lend_background(background);
        hub
    }
}

crossws_core::opaque_debug!([] Options, self => hub: self.hub, auto_response: self.auto_response);
