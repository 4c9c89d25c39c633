use serde::Serialize;

use crate::message::close::{Closed, ClosedBy};
use crate::sync::Mutex;

/// How many connections have ended, by the side that ended them: a part of [`Stats`](crate::Stats).
///
/// ```
/// # use crossws_core::*;
/// fn lost(closes: Closes) -> u64 {
///     closes.network + closes.timeout
/// }
/// # assert_eq!(lost(Hub::default().stats().closed), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Closes {
    /// The client closed.
    pub client: u64,
    /// This side closed: a hook, the hub, or a broken limit or rule.
    pub server: u64,
    /// The connection was lost.
    pub network: u64,
    /// The client did not answer in time, was silent for too long, or its credentials ended.
    pub timeout: u64,
    /// The server shut down.
    pub shutdown: u64,
}

impl Closes {
    /// Returns the sum.
    pub fn total(self) -> u64 {
        self.client + self.server + self.network + self.timeout + self.shutdown
    }

    fn of(&mut self, by: ClosedBy) -> &mut u64 {
        match by {
            ClosedBy::Client => &mut self.client,
            ClosedBy::Server => &mut self.server,
            ClosedBy::Network => &mut self.network,
            ClosedBy::Timeout => &mut self.timeout,
            ClosedBy::Shutdown => &mut self.shutdown,
        }
    }
}

/// How many connections have ended with a code: see [`Hub::closes`](crate::Hub::closes).
///
/// ```
/// # use crossws_core::*;
/// fn slow_consumers(hub: &Hub) -> u64 {
///     let slow = |count: &&CloseCount| count.code == CloseCode::TRY_AGAIN.get();
///     hub.closes().iter().filter(slow).map(|count| count.count).sum()
/// }
/// # assert_eq!(slow_consumers(&Hub::default()), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CloseCount {
    /// The code, as in [`Closed::code`]. [`OTHER`](Self::OTHER) for all codes without an entry of
    /// their own.
    pub code: u16,
    /// The side or event that ended the connections.
    pub by: ClosedBy,
    /// How many connections have ended so.
    pub count: u64,
}

impl CloseCount {
    /// Stands for all codes after the first [`MOST`](Self::MOST): clients may choose among
    /// thousands.
    pub const OTHER: u16 = 0;
    /// At most this many pairs of a code and a cause have an entry of their own.
    pub const MOST: usize = 64;
}

/// Ended connections, sorted by code and by the side that ended them.
#[derive(Default)]
pub(crate) struct CloseCounters(Mutex<Vec<CloseCount>>);

impl CloseCounters {
    pub(crate) fn count(&self, closed: &Closed) {
        let mut counts = self.0.lock();
        let by = closed.by;
        let find = |counts: &[CloseCount], code: u16| {
            counts.binary_search_by_key(&(code, by), |count| (count.code, count.by))
        };
        let mut code = closed.code;
        let mut found = find(&counts, code);
        if found.is_err() && counts.len() >= CloseCount::MOST {
            code = CloseCount::OTHER;
            found = find(&counts, code);
        }
        match found {
            Ok(at) => {
                if let Some(known) = counts.get_mut(at) {
                    known.count += 1;
                }
            }
            Err(at) => counts.insert(at, CloseCount { code, by, count: 1 }),
        }
    }

    pub(crate) fn total(&self) -> Closes {
        let mut total = Closes::default();
        for it in &*self.0.lock() {
            *total.of(it.by) += it.count;
        }
        total
    }

    pub(crate) fn by_code(&self) -> Vec<CloseCount> {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16, by: ClosedBy) -> Closed {
        Closed {
            code,
            ..Closed::lost(by)
        }
    }

    #[test]
    fn closes_are_counted_by_code_and_by_cause() {
        let counters = CloseCounters::default();
        for (code, by) in [
            (1000, ClosedBy::Client),
            (1000, ClosedBy::Client),
            (1000, ClosedBy::Server),
            (1006, ClosedBy::Network),
        ] {
            counters.count(&closed(code, by));
        }
        let total = counters.total();
        assert_eq!((total.client, total.server, total.network), (2, 1, 1));
        assert_eq!(total.total(), 4);
        let counts = counters.by_code();
        let counts: Vec<_> = counts.iter().map(|it| (it.code, it.by, it.count)).collect();
        assert_eq!(
            counts,
            [
                (1000, ClosedBy::Client, 2),
                (1000, ClosedBy::Server, 1),
                (1006, ClosedBy::Network, 1),
            ]
        );
    }

    #[test]
    fn clients_that_choose_codes_fill_no_memory() {
        let counters = CloseCounters::default();
        for code in 3000..5000 {
            counters.count(&closed(code, ClosedBy::Client));
        }
        let counts = counters.by_code();
        assert_eq!(counts.len(), CloseCount::MOST + 1);
        assert_eq!(counts.iter().map(|it| it.count).sum::<u64>(), 2000);
        let other = counts.iter().find(|it| it.code == CloseCount::OTHER);
        assert_eq!(
            other.map(|it| it.count),
            Some(2000 - CloseCount::MOST as u64)
        );
    }
}
