use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::message::text::Utf8Bytes;

/// A close code that may be sent in a close frame (RFC 6455 section 7.4, IANA's registry).
///
/// The type admits only codes that an endpoint may send: 1000 to 1003, 1007 to 1014 and 3000 to
/// 4999. The further codes that a close may *report* (no code, connection lost) are numbers in
/// [`Closed::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose was fulfilled. A client should not reconnect by itself.
    pub const NORMAL: Self = Self(1000);
    /// 1001: an endpoint goes away, as a page navigating or a server stopping.
    pub const AWAY: Self = Self(1001);
    /// 1002: the other side broke the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// 1003: a kind of data that is not accepted here.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: a payload that does not fit its type, such as text that is not UTF-8.
    pub const INVALID: Self = Self(1007);
    /// 1008: a policy was violated.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message is too big to be processed.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: the server met a condition it did not expect. The default for a failed hook.
    pub const ERROR: Self = Self(1011);
    /// 1012: the service restarts. A client should reconnect after a random delay.
    pub const RESTART: Self = Self(1012);
    /// 1013: the service is overloaded, or this client reads too slowly. Reconnect later.
    pub const TRY_AGAIN: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from upstream.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 3000: not authorised.
    pub const UNAUTHORIZED: Self = Self(3000);
    /// 3003: forbidden.
    pub const FORBIDDEN: Self = Self(3003);
    /// 3008: the connection was silent for too long.
    pub const TIMEOUT: Self = Self(3008);
    /// 4401: the credentials ended while the connection was open. A client should get new ones and
    /// reconnect. From the private range, because the registered 3000 says that reconnecting is
    /// useless.
    pub const CREDENTIALS_EXPIRED: Self = Self(4401);

    /// Returns the code, if it may be sent; `None` for 1004 to 1006, 1015 and every unassigned
    /// code.
    ///
    /// ```
    /// # use crossws_core::CloseCode;
    /// const KICKED: CloseCode = CloseCode::new(4001).unwrap();
    /// assert_eq!(CloseCode::new(1006), None);
    /// ```
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// Returns the number on the wire.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> u16 {
        code.0
    }
}

impl TryFrom<u16> for CloseCode {
    type Error = InvalidCloseCode;

    fn try_from(code: u16) -> Result<Self, InvalidCloseCode> {
        Self::new(code).ok_or(InvalidCloseCode(code))
    }
}

/// A number that must not be sent as a close code.
///
/// ```
/// # use crossws_core::*;
/// let code: Result<CloseCode, InvalidCloseCode> = CloseCode::try_from(1006);
/// assert!(code.is_err(), "1006 is never sent");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("close code {0} must not be sent: allowed are 1000-1003, 1007-1014 and 3000-4999")]
pub struct InvalidCloseCode(u16);

/// The payload of a close frame: a code and a short reason, or [nothing](Self::without_code).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CloseFrame {
    code: Option<CloseCode>,
    reason: Utf8Bytes,
}

/// Precedes the milliseconds of a retry.
const RETRY: &str = "; retry=";

impl CloseFrame {
    /// The longest reason in bytes: a control frame holds 125, of which the code takes two
    /// (RFC 6455 section 5.5).
    pub const MAX_REASON: usize = 123;

    /// Creates a close frame. A reason of more than [`MAX_REASON`](Self::MAX_REASON) bytes is cut
    /// at the last character that fits.
    pub fn new(code: CloseCode, reason: impl Into<Utf8Bytes>) -> Self {
        let mut reason = reason.into();
        if reason.len() > Self::MAX_REASON {
            reason = reason[..reason.floor_char_boundary(Self::MAX_REASON)].into();
        }
        let code = Some(code);
        Self { code, reason }
    }

    /// Creates a close frame without a payload (RFC 6455 section 7.1.5): the client gets neither a
    /// code nor a reason. [`Closed::code`] is then [`NO_STATUS`](Closed::NO_STATUS) on both sides.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let frame = CloseFrame::without_code();
    /// assert_eq!(frame.status(), Closed::NO_STATUS);
    /// ```
    pub fn without_code() -> Self {
        Self {
            code: None,
            reason: Utf8Bytes::default(),
        }
    }

    /// Creates the close frame of a server that failed: 1011, without details.
    #[doc(hidden)]
    pub fn internal_error() -> Self {
        Self::new(CloseCode::ERROR, "internal error")
    }

    /// Creates the close frame of a client that takes less than it is sent: 1013.
    #[doc(hidden)]
    pub fn slow_consumer() -> Self {
        Self::new(CloseCode::TRY_AGAIN, "slow consumer")
    }

    /// Returns the code; [`CloseCode::NORMAL`] for a frame [without one](Self::without_code).
    /// [`has_code`](Self::has_code) distinguishes the two.
    pub fn code(&self) -> CloseCode {
        self.code.unwrap_or(CloseCode::NORMAL)
    }

    /// Returns whether the frame has a payload.
    pub fn has_code(&self) -> bool {
        self.code.is_some()
    }

    /// Returns the [`Closed::code`] of a close with this frame.
    pub fn status(&self) -> u16 {
        self.code.map_or(Closed::NO_STATUS, CloseCode::get)
    }

    /// Returns the reason, possibly empty.
    pub fn reason(&self) -> &Utf8Bytes {
        &self.reason
    }

    /// Adds to the end of the reason the time, in whole milliseconds, after which the client should
    /// reconnect. Returns the frame unchanged if the reason leaves no room, or there is no code.
    ///
    /// ```
    /// use std::time::Duration;
    /// use crossws_core::{CloseCode, CloseFrame};
    ///
    /// let frame = CloseFrame::new(CloseCode::RESTART, "restarting");
    /// let frame = frame.with_retry(Duration::from_millis(740));
    /// assert_eq!(&**frame.reason(), "restarting; retry=740");
    /// assert_eq!(frame.retry(), Some(Duration::from_millis(740)));
    /// ```
    #[must_use]
    pub fn with_retry(self, after: Duration) -> Self {
        let reason = format!("{}{RETRY}{}", self.reason, after.as_millis());
        match self.code {
            Some(code) if reason.len() <= Self::MAX_REASON => Self::new(code, reason),
            _ => self,
        }
    }

    /// Returns the time after which the client should reconnect, if the reason names one: see
    /// [`with_retry`](Self::with_retry).
    pub fn retry(&self) -> Option<Duration> {
        let (_, millis) = self.reason.rsplit_once(RETRY)?;
        millis.parse().ok().map(Duration::from_millis)
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "closed with {code}")?,
            None => f.write_str("closed without a code")?,
        }
        match self.reason.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.reason),
        }
    }
}

/// The error with which a connection that cannot go on is closed.
impl std::error::Error for CloseFrame {}

impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        Self::new(code, Utf8Bytes::default())
    }
}

/// The side or event that ended a connection.
///
/// ```
/// # use crossws_core::*;
/// fn is_lost(closed: &Closed) -> bool {
///     matches!(closed.by, ClosedBy::Network | ClosedBy::Timeout)
/// }
/// # assert!(is_lost(&Closed::lost(ClosedBy::Network)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ClosedBy {
    /// The client sent a close frame.
    Client,
    /// This side closed: a hook, the hub, or a broken limit or protocol rule.
    Server,
    /// The connection was lost without a close frame.
    Network,
    /// The client did not answer in time, was silent for too long, or its credentials ended.
    Timeout,
    /// The server is shutting down.
    Shutdown,
}

impl ClosedBy {
    /// Returns the name in lower case, for a log or a metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::Shutdown => "shutdown",
        }
    }
}

/// How a connection ended, the argument of the `close` hook.
///
/// ```
/// # use crossws_core::*;
/// fn left(peer: &Peer, closed: &Closed) {
///     println!("{peer}: {} {} by {:?}", closed.code, closed.reason, closed.by)
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Closed {
    /// The code: the client's if it closed, ours if this side did; [`NO_STATUS`](Self::NO_STATUS)
    /// for a close frame without one, [`ABNORMAL`](Self::ABNORMAL) if there was no close frame.
    pub code: u16,
    /// The reason that came with the code, possibly empty.
    pub reason: Utf8Bytes,
    /// Whether both close frames were exchanged.
    pub clean: bool,
    /// The side or event that ended it.
    pub by: ClosedBy,
}

impl Closed {
    /// 1005: the close frame carried no code. Never sent (RFC 6455 section 7.4.1).
    pub const NO_STATUS: u16 = 1005;
    /// 1006: the connection ended without a close frame. Never sent (RFC 6455 section 7.4.1).
    pub const ABNORMAL: u16 = 1006;

    /// Creates the result of a close by the client, with the contents of its frame.
    pub fn by_client(frame: Option<&CloseFrame>) -> Self {
        let nothing = CloseFrame::without_code();
        Self::by_us(frame.unwrap_or(&nothing), ClosedBy::Client, true)
    }

    /// Creates the result of a close by this side with `frame`; `clean` if the client answered it.
    pub fn by_us(frame: &CloseFrame, by: ClosedBy, clean: bool) -> Self {
        Self {
            code: frame.status(),
            reason: frame.reason.clone(),
            clean,
            by,
        }
    }

    /// Creates the result of a connection that ended without a close frame.
    pub fn lost(by: ClosedBy) -> Self {
        Self {
            code: Self::ABNORMAL,
            reason: Utf8Bytes::default(),
            clean: false,
            by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ClosedBy;

    #[test]
    fn a_cause_is_serialized_as_its_name() {
        use ClosedBy::*;
        for by in [Client, Server, Network, Timeout, Shutdown] {
            assert_eq!(serde_json::to_value(by).unwrap(), by.name());
        }
    }
}
