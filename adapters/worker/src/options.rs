use crossws_core::adapter::HubChoice;
use crossws_core::http::header::{HOST, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use crossws_core::{Hub, hub_setters};

/// How a Worker and its objects serve. Give the same to both: the Worker keeps the origin policy
/// and `Limits::upgrade_timeout`, the object all other limits.
///
/// The platform compresses by itself, whatever `deflate` says. It sends no pings and finds lost
/// connections by itself: `Limits::ping_interval` only says that silence is no reason to close.
/// Without it (`None`), `idle_timeout` counts what hooks hear, and auto-responses. What the platform
/// queues for a slow client is not seen, so that the bounds of queues do not apply.
///
/// Over a sleep a peer keeps the headers `host`, `origin`, what the client offered
/// (`sec-websocket-protocol`, `sec-websocket-extensions`), and those that `keep_headers` names. They
/// count against the budget of each peer.
#[derive(Debug, Clone)]
#[must_use]
pub struct Options {
    hub: HubChoice,
    pub(crate) auto_response: Option<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        let options = Self {
            hub: HubChoice::default(),
            auto_response: None,
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
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    hub_setters!();

    /// Answers this text with that one without waking the object: no hook hears of it.
    pub fn auto_response(mut self, ask: impl Into<String>, answer: impl Into<String>) -> Self {
        self.auto_response = Some((ask.into(), answer.into()));
        self
    }

    pub(crate) fn keeps(&self, header: &str) -> bool {
        self.hub
            .own()
            .kept_headers()
            .iter()
            .any(|kept| kept == header)
    }

    pub(crate) fn hub(&self) -> Hub {
        self.hub.clone().build()
    }
}
