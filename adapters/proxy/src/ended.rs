use std::sync::Arc;

use crossws_core::{CloseCode, CloseFrame, Closed, ClosedBy, Utf8Bytes};

use crate::error::ProxyError;

/// The side that ended a proxied connection first: see [`Ended`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndedBy {
    /// The client closed, or was lost.
    Client,
    /// The upstream closed, was lost, broke the protocol, or was never connected to.
    Upstream,
    /// This server closed: a hook, a limit, a shutdown, or an upgrade that was not completed.
    Server,
}

/// How a proxied connection ended, the argument of [`Proxy::on_close`](crate::Proxy::on_close).
///
/// ```
/// use crossws_proxy::{EndedBy, Proxy};
///
/// let proxy = Proxy::to("ws://10.0.0.7:9000/").on_close(|_, ended| match (ended.by, &ended.error) {
///     (_, Some(error)) => println!("not connected: {error}"),
///     (EndedBy::Upstream, None) => println!("the service closed with {}", ended.code),
///     _ => {}
/// });
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ended {
    /// The side that ended it.
    pub by: EndedBy,
    /// Whether both connections were open.
    pub opened: bool,
    /// The close code of that side, as in [`Closed::code`]: 1006 if there was no close frame.
    pub code: u16,
    /// The reason that came with the code, possibly empty.
    pub reason: Utf8Bytes,
    /// Why the upstream was not connected to, if it was not.
    pub error: Option<Arc<ProxyError>>,
}

impl Ended {
    pub(crate) fn new(by: EndedBy, closed: &Closed) -> Self {
        Self {
            by,
            opened: false,
            code: closed.code,
            reason: closed.reason.clone(),
            error: None,
        }
    }

    pub(crate) fn failed(by: EndedBy, error: Arc<ProxyError>) -> Self {
        Self {
            error: Some(error),
            ..Self::new(by, &Closed::lost(ClosedBy::Network))
        }
    }

    /// Creates the end of a client, or of this server's side.
    pub(crate) fn of_client(closed: &Closed) -> Self {
        let by = match closed.by {
            ClosedBy::Server | ClosedBy::Shutdown => EndedBy::Server,
            _ => EndedBy::Client,
        };
        Self::new(by, closed)
    }
}

/// Returns the frame that closes the upstream after its client's end: the client's own, or 1001 if there
/// was none, or the server ended.
pub(crate) fn frame_for_upstream(closed: &Closed) -> CloseFrame {
    match closed.by {
        ClosedBy::Client => same(closed).unwrap_or_else(|| CloseCode::AWAY.into()),
        _ => CloseCode::AWAY.into(),
    }
}

/// Returns the frame that closes the client after its upstream's end: the upstream's own, or `failed` if
/// there was none, or the upstream broke a rule.
pub(crate) fn frame_for_client(closed: &Closed, failed: CloseCode) -> CloseFrame {
    let text = match closed.by {
        // A client calls the other side the server.
        ClosedBy::Server => match same(closed) {
            Some(frame) => return frame,
            None => "the upstream is lost",
        },
        ClosedBy::Client => "the upstream broke a rule",
        ClosedBy::Timeout => "the upstream is silent",
        _ => "the upstream is lost",
    };
    CloseFrame::new(failed, text)
}

/// Returns the same frame once more, if it may be sent: a close without a code has none again, and 1006
/// and 1015 are no frames.
fn same(closed: &Closed) -> Option<CloseFrame> {
    match CloseCode::new(closed.code) {
        Some(code) => Some(CloseFrame::new(code, closed.reason.clone())),
        None if closed.code == Closed::NO_STATUS => Some(CloseFrame::without_code()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16, by: ClosedBy) -> Closed {
        let mut closed = Closed::lost(by);
        closed.code = code;
        closed.reason = "why".into();
        closed
    }

    #[test]
    fn codes_pass_unless_they_must_not_be_sent() {
        for code in [1000, 1001, 1003, 1008, 1011, 1012, 1013, 3000, 4321, 4999] {
            let to_client =
                frame_for_client(&closed(code, ClosedBy::Server), CloseCode::BAD_GATEWAY);
            let to_upstream = frame_for_upstream(&closed(code, ClosedBy::Client));
            for frame in [to_client, to_upstream] {
                assert_eq!((frame.status(), &**frame.reason()), (code, "why"));
            }
        }
        let none = frame_for_client(&closed(1005, ClosedBy::Server), CloseCode::ERROR);
        assert!(!none.has_code());
        assert!(!frame_for_upstream(&closed(1005, ClosedBy::Client)).has_code());
        for code in [1004, 1006, 1015, 2000, 5000] {
            let frame = frame_for_client(&closed(code, ClosedBy::Server), CloseCode::ERROR);
            assert_eq!(frame.status(), 1011, "{code}");
            assert_eq!(
                frame_for_upstream(&closed(code, ClosedBy::Client)).status(),
                1001
            );
        }
    }

    #[test]
    fn what_ended_without_the_other_sides_frame_has_a_code_of_the_proxy() {
        for by in [ClosedBy::Client, ClosedBy::Network, ClosedBy::Timeout] {
            let frame = frame_for_client(&closed(1002, by), CloseCode::BAD_GATEWAY);
            assert_eq!(frame.status(), 1014, "{by:?}");
        }
        for by in [
            ClosedBy::Network,
            ClosedBy::Timeout,
            ClosedBy::Server,
            ClosedBy::Shutdown,
        ] {
            assert_eq!(
                frame_for_upstream(&closed(1012, by)).status(),
                1001,
                "{by:?}"
            );
        }
    }
}
