//! The URL that the client asked for.

use http::header::HOST;

use crate::upgrade::request::{Head, UpgradeRequest, text};

impl UpgradeRequest {
    /// Returns the absolute URL: `http` or `https`, the `Host` header's host and port, path and
    /// query as they were sent.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// assert_eq!(request.url(), "http://example.com/rooms/7?token=abc&page=2");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn url(&self) -> String {
        self.url_with(if self.is_secure() { "https" } else { "http" })
    }

    /// Returns the absolute URL that the client dialled: as [`url`](Self::url), with `ws` or `wss`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// assert_eq!(request.websocket_url(), "ws://example.com/rooms/7?token=abc&page=2");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn websocket_url(&self) -> String {
        self.url_with(if self.is_secure() { "wss" } else { "ws" })
    }

    fn url_with(&self, scheme: &str) -> String {
        let target = match &self.head {
            Head::Whole(whole) => whole
                .parts
                .uri
                .path_and_query()
                .map_or("/", |all| all.as_str()),
            Head::Packed(packed) => packed.target(),
        };
        let host = self
            .authority()
            .or_else(|| self.values(&HOST).next().and_then(text))
            .unwrap_or("localhost");
        format!("{scheme}://{host}{target}")
    }
}
