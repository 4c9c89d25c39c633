use std::borrow::Cow;
use std::io;
use std::time::Duration;

use crossws_core::{BoxError, SettingsError};
use http::{Response, StatusCode};

/// Why a connection did not open. Texts repeat neither tokens nor the URL.
///
/// ```no_run
/// use crossws_client::{ConnectError, connect};
///
/// # async fn example() {
/// match connect("wss://example.com/chat").await {
///     Ok(client) => drop(client),
///     Err(ConnectError::Refused(response)) => println!("refused: {}", response.status()),
///     Err(error) if error.is_temporary() => println!("later: {error}"),
///     Err(error) => println!("never: {error}"),
/// }
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL cannot be used: what is wrong with it.
    #[error("the URL cannot be used: {0}")]
    Url(&'static str),
    /// A header or a subprotocol cannot be sent.
    #[error("`{0}` cannot be sent in a handshake")]
    Header(String),
    /// A limit with which no connection could do anything.
    #[error("a limit cannot be used: {0}")]
    Limit(#[from] SettingsError),
    /// The provider of the URL or of the token failed.
    #[error("the provider of the {what} failed: {source}")]
    Provider {
        /// `"URL"` or `"token"`.
        what: &'static str,
        /// The provider's error.
        source: BoxError,
    },
    /// The platform cannot do what was asked for.
    #[error("this platform does not support {0}")]
    Unsupported(&'static str),
    /// The host's name could not be resolved.
    #[error("the host cannot be resolved: {0}")]
    Resolve(#[source] io::Error),
    /// The host's addresses are all among those that the client must not connect to.
    #[error("every address of the host is one that must not be connected to")]
    Forbidden,
    /// No address of the host could be connected to.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// TLS could not be configured.
    #[cfg(all(feature = "sockets", feature = "tls", not(target_family = "wasm")))]
    #[error("cannot use TLS: {0}")]
    Tls(#[from] crossws_native::TlsError),
    /// The connection ended, or TLS failed, before the response was complete.
    #[error("the connection ended in the handshake: {0}")]
    Io(#[source] io::Error),
    /// The HTTP proxy refused the tunnel.
    #[error("the proxy answered {0} to CONNECT")]
    Proxy(StatusCode),
    /// The server answered with this response, and not with a 101. Redirections are not followed: the
    /// server's `Location` is in the headers. The body is not read.
    #[error("the server answered {} where 101 opens a WebSocket", .0.status())]
    Refused(Box<Response<()>>),
    /// The response is not HTTP/1.1.
    #[error("the response cannot be read: {0}")]
    Malformed(Cow<'static, str>),
    /// The response's head is longer than [`MAX_HEAD`](crate::MAX_HEAD).
    #[error("the response's head has more than {0} bytes")]
    HeadTooLong(usize),
    /// The 101 breaks a rule of the handshake.
    #[cfg(all(feature = "sockets", not(target_family = "wasm")))]
    #[error("the server's handshake is wrong: {0}")]
    Handshake(#[from] crossws_proto::handshake::AnswerError),
    /// The connection did not open in time.
    #[error("the connection did not open within {0:?}")]
    Timeout(Duration),
    /// The platform's WebSocket failed without a reason, as browsers' do.
    #[error("the connection failed, and the platform does not say why")]
    Failed,
    /// The client was closed before the connection opened.
    #[error("the client was closed before the connection opened")]
    Closed,
}

impl ConnectError {
    /// Returns the status of the server's response, if it was not a 101.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(response) => Some(response.status()),
            _ => None,
        }
    }

    /// Returns whether another try may succeed: after failures of the network and of providers,
    /// timeouts, and responses of 408, 425, 429 and 5xx.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Provider { .. }
            | Self::Resolve(_)
            | Self::Connect(_)
            | Self::Io(_)
            | Self::Proxy(_)
            | Self::Timeout(_)
            | Self::Failed => true,
            Self::Refused(response) => {
                let status = response.status();
                status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
            }
            _ => false,
        }
    }

    /// Returns the time that the server asks to wait before another try (`Retry-After`), if it names
    /// one in seconds.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let Self::Refused(response) = self else {
            return None;
        };
        let value = response.headers().get(http::header::RETRY_AFTER)?;
        let seconds = value.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}
