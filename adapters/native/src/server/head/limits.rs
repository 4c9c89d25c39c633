use std::time::Duration;

use crossws_core::SettingsError;

/// Bounds of reading a request's head.
///
/// ```
/// use std::time::Duration;
///
/// use crossws_native::HeadLimits;
///
/// let mut limits = HeadLimits::default();
/// limits.keep_alive = Duration::from_secs(120); // for a load balancer that keeps connections for 100
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// The longest time from the accept to the end of the first request's head, and from a later
    /// request's first byte to the end of its head. Default 10 s.
    pub timeout: Duration,
    /// The longest time from the end of a response to the first byte of the connection's next
    /// request, if there is an HTTP service. Default 75 s: longer than the 60 s after which many
    /// load balancers close a connection, so that none sends a request into a connection that the
    /// server closes.
    pub keep_alive: Duration,
    /// The longest head, in bytes. A longer one gets a 431. Default 16 KiB.
    pub max_head: usize,
    /// The longest request line, in bytes. A longer one gets a 414. Default 8 KiB.
    pub max_line: usize,
    /// The most headers. More get a 431. Values above [`HeadLimits::MOST_HEADERS`] count as that.
    /// Default 100.
    pub max_headers: usize,
    /// Whether a connection may begin with HTTP/2.
    #[cfg(feature = "http2")]
    pub(crate) http2: bool,
}

impl HeadLimits {
    /// The largest allowed value of `max_headers`.
    pub const MOST_HEADERS: usize = 256;

    /// Refuses bounds with which no request could be read.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        SettingsError::of_zeros([
            ("HeadLimits::timeout", self.timeout.is_zero()),
            ("HeadLimits::max_head", self.max_head == 0),
            ("HeadLimits::max_line", self.max_line == 0),
            ("HeadLimits::max_headers", self.max_headers == 0),
        ])
    }
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            max_head: 16 << 10,
            max_line: 8 << 10,
            max_headers: 100,
            #[cfg(feature = "http2")]
            http2: false,
        }
    }
}
