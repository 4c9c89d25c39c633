//! WebSockets over HTTP/2, by extended CONNECT (RFC 8441): each is one stream of a connection that
//! may carry other requests too.
//!
//! This crate's own server uses h2 itself. hyper's upgraded streams cost a task, a channel and a
//! copy each, cannot be reset, and end the whole connection if a CONNECT announces a body.

pub(crate) mod body;
pub(crate) mod connection;
pub(crate) mod door;
pub(crate) mod exchange;
pub(crate) mod h2_io;
pub(crate) mod stream;
pub(crate) mod streams;

use std::time::Duration;

use crossws_core::SettingsError;

/// The first bytes of a client that speaks HTTP/2 (RFC 9113 section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Settings of [`ServerBuilder::http2`](crate::ServerBuilder::http2): which connections may be
/// HTTP/2, and the bounds of each.
///
/// The bounds of [`HeadLimits`](crate::HeadLimits) apply too: `max_head` bounds a request's list of
/// headers (RFC 9113 section 10.5.1, with 32 bytes for each besides its name and value), and
/// `keep_alive` the time that a connection may have no streams.
///
/// ```
/// # use crossws_core::Resolve;
/// # use crossws_native::{Http2, ServerBuilder, ServerRuntime};
/// # fn example<R: Resolve, T: ServerRuntime>(server: ServerBuilder<R, T>) -> ServerBuilder<R, T> {
/// // The server gets its connections from a proxy that speaks HTTP/2 without TLS.
/// let http2 = Http2::default().prior_knowledge(true).max_streams(1_000);
/// let server = server.http2(http2);
/// # server }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http2 {
    pub(crate) prior_knowledge: bool,
    max_streams: u32,
    stream_window: u32,
    connection_window: u32,
}

impl Http2 {
    /// Accepts HTTP/2 on unencrypted connections too, from clients that know that this server
    /// speaks it (RFC 9113 section 3.3): a proxy that ends TLS. Browsers use HTTP/2 only with TLS.
    /// Default `false`.
    #[must_use]
    pub fn prior_knowledge(mut self, allowed: bool) -> Self {
        self.prior_knowledge = allowed;
        self
    }

    /// Sets the most concurrent streams of one connection, WebSockets and other requests together
    /// (`SETTINGS_MAX_CONCURRENT_STREAMS`). The server refuses more with `REFUSED_STREAM`, and a
    /// client then waits or opens another connection. Default 100, the least that RFC 9113 section
    /// 6.5.2 recommends.
    #[must_use]
    pub fn max_streams(mut self, most: u32) -> Self {
        self.max_streams = most;
        self
    }

    /// Sets the most bytes that a client may send on one stream before the application reads them.
    /// A peer whose hooks are slow stops its own stream there, and no other. Default 64 KiB, at
    /// most 2³¹ − 1.
    #[must_use]
    pub fn stream_window(mut self, bytes: u32) -> Self {
        self.stream_window = bytes.min(MOST_WINDOW);
        self
    }

    /// Sets the most bytes that a client may send on all streams of one connection before the
    /// application reads them. Default 1 MiB: as much as sixteen streams that are not read. At most
    /// 2³¹ − 1, and never below 65,535 (RFC 9113 section 6.9.2).
    ///
    /// It bounds the memory of that connection: nine times as many bytes, if the client sends them
    /// in tiny frames, each of which costs more than its bytes. More end the connection.
    #[must_use]
    pub fn connection_window(mut self, bytes: u32) -> Self {
        self.connection_window = bytes.min(MOST_WINDOW);
        self
    }

    /// Refuses bounds with which no request could be read.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        SettingsError::of_zeros([
            ("Http2::max_streams", self.max_streams == 0),
            ("Http2::stream_window", self.stream_window == 0),
        ])
    }

    /// Returns h2's settings. Each bound is set here, so that none depends on h2's defaults.
    fn builder(&self, max_head: usize) -> h2::server::Builder {
        let mut builder = h2::server::Builder::new();
        builder
            .enable_connect_protocol()
            .max_concurrent_streams(self.max_streams)
            .initial_window_size(self.stream_window)
            .initial_connection_window_size(self.connection_window)
            .max_frame_size(MAX_FRAME)
            .max_send_buffer_size(SEND_BUFFER)
            .data_frame_budget((self.connection_window as usize).saturating_mul(OVERHEAD))
            // Also bounds the CONTINUATION frames of one list.
            .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(MOST_PENDING_RESETS)
            .max_local_error_reset_streams(Some(MOST_ERRORS))
            .max_concurrent_reset_streams(REMEMBERED_RESETS)
            .reset_stream_duration(RESETS_REMEMBERED_FOR);
        builder
    }
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            prior_knowledge: false,
            max_streams: 100,
            stream_window: 64 << 10,
            connection_window: 1 << 20,
        }
    }
}

/// The largest window (RFC 9113 section 6.9.1).
const MOST_WINDOW: u32 = (1 << 31) - 1;

/// The largest payload of a frame: the protocol's own default, and its least.
const MAX_FRAME: u32 = 16 << 10;

/// The most unsent bytes of one stream. What a slow client has not read waits in its peer's bounded
/// queue, not here; a TCP connection of this crate has the same bound in the system.
const SEND_BUFFER: usize = 64 << 10;

/// Bytes that h2 may spend on unread small frames for each byte of the connection's window. It counts
/// 256 for a frame, less its payload. A WebSocket message is often a frame of its own, and a stream
/// whose hooks are slow must stop at its window: h2's default of a half would end the connection at
/// 2,100 waiting messages.
const OVERHEAD: usize = 8;

/// Streams that a client may reset before the server has accepted them (CVE-2023-44487, "rapid
/// reset"). More end the connection.
const MOST_PENDING_RESETS: usize = 20;

/// Streams that a client may make the server reset by breaking rules. More end the connection.
const MOST_ERRORS: usize = 100;

/// Reset streams whose late frames are ignored instead of ending the connection, and for how long.
const REMEMBERED_RESETS: usize = 50;
const RESETS_REMEMBERED_FOR: Duration = Duration::from_secs(1);

/// Requests that a client may cancel before their responses, in excess of those that it lets finish. More
/// end the connection with `ENHANCE_YOUR_CALM`: each has cost the work of an upgrade.
const MOST_CANCELLED: isize = 100;
