use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::{Function, excerpt};
use crossws_core::{CloseCode, CloseFrame, Closed, ClosedBy, MaybeSend, MaybeSync};

use crate::error::ConnectError;

/// Why a client has no connection: the argument of [`Reconnect::when`], and the result of
/// [`ClientHandle::closed`](crate::ClientHandle::closed).
///
/// ```no_run
/// use crossws_client::{Client, Disconnected};
///
/// async fn report(client: &Client) {
///     match &*client.closed().await {
///         Disconnected::Closed(closed) => println!("closed with {} {}", closed.code, closed.reason),
///         Disconnected::Failed(error) => println!("not connected: {error}"),
///         _ => {}
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnected {
    /// An open connection ended.
    #[error("{}", shown(.0))]
    Closed(Closed),
    /// A connection did not open.
    #[error(transparent)]
    Failed(ConnectError),
}

impl Disconnected {
    /// The end of a client whose task was dropped.
    pub(crate) fn lost() -> Self {
        Self::Closed(Closed::lost(ClosedBy::Network))
    }

    /// Returns whether another try may succeed.
    ///
    /// A connection that ended: yes, except for codes that say that the server is done (1000), that
    /// this client's own messages are at fault (1002, 1003, 1007 to 1010), or that it may not come in
    /// (3000, 3003); with these codes too if the server says when to come back. A connection that did
    /// not open: see [`ConnectError::is_temporary`].
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Closed(closed) => {
                let is_last = matches!(closed.code, 1000 | 1002 | 1003 | 1007..=1010 | 3000 | 3003);
                !is_last || self.retry().is_some()
            }
            Self::Failed(error) => error.is_temporary(),
        }
    }

    /// Returns the time after which the server asks this client to come back: the `retry` of its close
    /// reason (see [`CloseFrame::retry`]), or `Retry-After` of a refusal.
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::Closed(closed) => {
                CloseFrame::new(CloseCode::NORMAL, closed.reason.clone()).retry()
            }
            Self::Failed(error) => error.retry_after(),
        }
    }
}

fn shown(closed: &Closed) -> String {
    match closed.reason.is_empty() {
        true => format!("closed with {}", closed.code),
        false => {
            let reason = excerpt(&closed.reason, CloseFrame::MAX_REASON);
            format!("closed with {}: {reason}", closed.code)
        }
    }
}

/// A function that decides about a disconnection.
type When = dyn for<'a> Function<&'a Disconnected, bool>;

/// Whether and when a client connects again by itself. A new connection has no state of the old one on
/// the server, so that it is off by default: [`Connect::reconnect`](crate::Connect::reconnect).
///
/// The wait before the `n`th try is random, between zero and `first · 2ⁿ`, and at most `most` ("full
/// jitter"): clients of one server that failed come back spread out. A server that names a time
/// ([`Disconnected::retry`]) decides it, up to [`longest_hint`](Self::longest_hint); after failures in
/// sequence, the random wait is the least.
///
/// ```
/// # use std::time::Duration;
/// use crossws_client::Reconnect;
///
/// let patient = Reconnect::backoff()
///     .most(Duration::from_secs(60))
///     .tries(20)
///     .when(|disconnected| disconnected.is_temporary());
/// # let _ = patient;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Reconnect {
    pub(crate) first: Duration,
    pub(crate) most: Duration,
    pub(crate) tries: Option<u32>,
    pub(crate) longest_hint: Duration,
    when: Option<Arc<When>>,
}

impl Reconnect {
    /// Creates the default: up to 500 ms before the first try, up to 30 s before later ones, without a
    /// bound on the number of tries, when [`Disconnected::is_temporary`] holds.
    pub fn backoff() -> Self {
        Self {
            first: Duration::from_millis(500),
            most: Duration::from_secs(30),
            tries: None,
            longest_hint: Duration::from_secs(300),
            when: None,
        }
    }

    /// Sets the longest wait before the first try.
    pub fn first(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// Sets the longest wait before any try.
    pub fn most(mut self, most: Duration) -> Self {
        self.most = most;
        self
    }

    /// Sets how many tries may fail one after the other. A connection that stays open as long as the
    /// longest wait begins the count anew.
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = Some(tries);
        self
    }

    /// Sets the longest wait that a server can ask for. Default 300 s.
    pub fn longest_hint(mut self, most: Duration) -> Self {
        self.longest_hint = most;
        self
    }

    /// Sets the function that decides whether to try again, in place of
    /// [`Disconnected::is_temporary`].
    pub fn when(
        mut self,
        when: impl Fn(&Disconnected) -> bool + MaybeSend + MaybeSync + 'static,
    ) -> Self {
        self.when = Some(Arc::new(when));
        self
    }

    /// Returns whether to try again after `failed` failures in sequence.
    pub(crate) fn wants(&self, disconnected: &Disconnected, failed: u32) -> bool {
        let wanted = match &self.when {
            Some(when) => when.apply(disconnected),
            None => disconnected.is_temporary(),
        };
        wanted && self.tries.is_none_or(|tries| failed < tries)
    }

    /// Returns the wait before the next try after `failed` failures in sequence. `random` is any
    /// number.
    pub(crate) fn wait(&self, disconnected: &Disconnected, failed: u32, random: u64) -> Duration {
        let factor = 2_u32.saturating_pow(failed);
        let most = self.first.saturating_mul(factor).min(self.most);
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        // The upper half of the product: a number below `nanos`, without a division's bias.
        let nanos = (u128::from(random) * u128::from(nanos)) >> 64;
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        match disconnected.retry() {
            None => wait,
            Some(hint) if failed == 0 => hint.min(self.longest_hint),
            // A server that always says "now" is believed once.
            Some(hint) => hint.min(self.longest_hint).max(wait),
        }
    }
}

crossws_core::opaque_debug!([] Reconnect, self =>
    first: self.first, most: self.most, tries: self.tries);

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn lost() -> Disconnected {
        Disconnected::Closed(Closed::lost(crossws_core::ClosedBy::Network))
    }

    #[test]
    fn waits_are_random_up_to_a_bound_that_doubles() {
        let policy = Reconnect::backoff();
        for (failed, most) in [(0, 500), (1, 1000), (3, 4000), (6, 30_000), (40, 30_000)] {
            let most = Duration::from_millis(most);
            assert_eq!(policy.wait(&lost(), failed, 0), Duration::ZERO);
            assert_eq!(policy.wait(&lost(), failed, 1 << 63), most / 2);
            let longest = policy.wait(&lost(), failed, u64::MAX);
            assert!(
                longest < most && most - longest < Duration::from_micros(1),
                "{longest:?}"
            );
        }
    }

    #[test]
    fn a_server_names_the_time_up_to_a_bound() {
        let policy = Reconnect::backoff();
        for (seconds, wait) in [(0, 0), (7, 7), (1_000_000, 300)] {
            let wait = Duration::from_secs(wait);
            let frame = CloseFrame::new(CloseCode::RESTART, "restarting");
            let frame = frame.with_retry(Duration::from_secs(seconds));
            let closed = Disconnected::Closed(Closed::by_client(Some(&frame)));
            assert_eq!(policy.wait(&closed, 0, 1), wait);
            let refused = Response::builder()
                .status(503)
                .header("retry-after", seconds);
            let refused = ConnectError::Refused(Box::new(refused.body(()).unwrap()));
            assert_eq!(policy.wait(&Disconnected::Failed(refused), 0, 1), wait);
        }
    }

    #[test]
    fn a_server_that_always_says_now_is_believed_once() {
        let policy = Reconnect::backoff();
        let frame = CloseFrame::new(CloseCode::RESTART, "restarting").with_retry(Duration::ZERO);
        let closed = Disconnected::Closed(Closed::by_client(Some(&frame)));
        assert_eq!(policy.wait(&closed, 0, 1 << 63), Duration::ZERO);
        assert_eq!(policy.wait(&closed, 1, 1 << 63), Duration::from_millis(500));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let policy = Reconnect::backoff().tries(2);
        let closed = |code| {
            let mut closed = Closed::lost(crossws_core::ClosedBy::Server);
            closed.code = code;
            Disconnected::Closed(closed)
        };
        for code in [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008, 4401] {
            assert!(policy.wants(&closed(code), 0), "{code}");
        }
        for code in [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003] {
            assert!(!policy.wants(&closed(code), 0), "{code}");
            let mut closed = Closed::lost(crossws_core::ClosedBy::Server);
            closed.code = code;
            closed.reason = "later; retry=0".into();
            assert!(policy.wants(&Disconnected::Closed(closed), 0), "{code}");
        }
        assert!(policy.wants(&lost(), 1) && !policy.wants(&lost(), 2));
        for (status, again) in [(503, true), (429, true), (401, false), (302, false)] {
            let refused = Response::builder().status(status).body(()).unwrap();
            let refused = Disconnected::Failed(ConnectError::Refused(Box::new(refused)));
            assert_eq!(policy.wants(&refused, 0), again, "{status}");
        }
        assert!(!policy.wants(&Disconnected::Failed(ConnectError::Forbidden), 0));
    }
}
