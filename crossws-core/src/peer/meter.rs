//! The traffic of one connection, counted once the application asks for it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use once_cell::race::OnceBox;

use crate::peer::Peer;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The traffic of a connection since [`since`](Self::since): see [`Peer::stats`].
///
/// ```
/// # use crossws_core::*;
/// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
/// let stats = peer.stats();
/// println!("{} messages received, {} bytes sent", stats.received.messages, stats.sent.bytes);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PeerStats {
    /// When counting began. `None` on a transport that does not count: then [`received`](Self::received)
    /// and [`sent`](Self::sent) stay zero.
    pub since: Option<SystemTime>,
    /// The messages that reached the `message` hook, including the current one, and the bytes of
    /// their payloads.
    pub received: Traffic,
    /// The messages that were taken from the peer's queue for writing. The bytes are those of the
    /// frames, compressed and with their headers, if this library writes the frames; otherwise
    /// those of the payloads.
    pub sent: Traffic,
    /// Messages that a policy has discarded, from the connection's beginning: see
    /// [`Peer::dropped`].
    pub dropped: u64,
    /// The bytes that wait now: see [`Peer::buffered_amount`].
    pub buffered: usize,
    /// The last round trip that was measured: see [`Peer::rtt`].
    pub rtt: Option<Duration>,
}

/// Messages in one direction.
///
/// ```
/// # use crossws_core::*;
/// fn mean_size(traffic: Traffic) -> Option<u64> {
///     traffic.bytes.checked_div(traffic.messages)
/// }
/// # assert_eq!(mean_size(Traffic::default()), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// How many messages there were.
    pub messages: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

/// Holds a connection's [`Meter`] in its transport: a pointer, which is null until the application
/// calls [`Peer::stats`] or [`Peer::rtt`], unless
/// [`count_traffic`](field@crate::Limits::count_traffic) is on.
#[derive(Default)]
pub struct MeterCell(OnceBox<Meter>);

/// Counts the traffic of one connection.
pub struct Meter {
    since: SystemTime,
    received: Counter,
    sent: Counter,
    /// In microseconds, plus one; 0 if there is none.
    rtt: AtomicU64,
    /// The ping that waits for its pong, and when it was sent.
    ping: Mutex<Option<(Bytes, Duration)>>,
}

#[derive(Default)]
struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl MeterCell {
    /// Returns the meter, if counting has begun.
    #[inline]
    pub fn get(&self) -> Option<&Meter> {
        self.0.get()
    }

    /// Begins to count, unless counting has already begun.
    pub(crate) fn begin(&self, now: SystemTime) -> &Meter {
        self.0.get_or_init(|| {
            Box::new(Meter {
                since: now,
                received: Counter::default(),
                sent: Counter::default(),
                rtt: AtomicU64::new(0),
                ping: Mutex::new(None),
            })
        })
    }
}

impl Meter {
    /// Counts a message that the client has sent.
    pub(crate) fn received(&self, bytes: usize) {
        self.received.add(1, bytes);
    }

    /// Counts messages that are about to be written, and the bytes of their frames.
    pub fn sent(&self, messages: usize, bytes: usize) {
        self.sent.add(messages, bytes);
    }

    /// Notes that a ping with this payload is being sent, at this time since any fixed point. Its
    /// pong is awaited, unless a ping with the same payload already awaits one.
    pub fn pinged(&self, data: Bytes, at: Duration) {
        let mut ping = self.ping.lock();
        if ping.as_ref().is_none_or(|(known, _)| *known != data) {
            *ping = Some((data, at));
        }
    }

    /// Notes that a pong has arrived. If it answers the awaited ping, the time in between is the
    /// round trip.
    pub fn ponged(&self, data: &[u8], at: Duration) {
        let mut ping = self.ping.lock();
        let Some((_, sent)) = ping.take_if(|(known, _)| known == data) else {
            return;
        };
        let micros = at.saturating_sub(sent).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.rtt.store(micros.saturating_add(1), Ordering::Relaxed);
    }

    fn rtt(&self) -> Option<Duration> {
        let micros = self.rtt.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_micros(micros))
    }
}

impl Counter {
    fn add(&self, messages: usize, bytes: usize) {
        self.messages.fetch_add(messages as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn read(&self) -> Traffic {
        Traffic {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

impl Peer {
    /// Returns the traffic of the connection.
    ///
    /// Counting begins with the first call of this or of [`rtt`](Self::rtt), so that connections
    /// without such a call cost nothing. If
    /// [`Limits::count_traffic`](field@crate::Limits::count_traffic) is on, for a hub or a route,
    /// it begins with the connection. In a Durable Object it begins anew when the object wakes.
    ///
    /// Inside the `message` hook `stats().received.messages` is the number of the message on its
    /// connection.
    ///
    /// ```
    /// # use crossws_core::{Json, Peer};
    /// # fn show(peer: &Peer) -> Result<(), crossws_core::SendError> {
    /// let stats = peer.stats();
    /// peer.send(Json((stats.received.messages, stats.sent.bytes)))?;
    /// # Ok(()) }
    /// ```
    pub fn stats(&self) -> PeerStats {
        let counts = PeerStats {
            dropped: self.dropped(),
            buffered: self.buffered_amount(),
            ..PeerStats::default()
        };
        match self.metered() {
            None => counts,
            Some(meter) => PeerStats {
                since: Some(meter.since),
                received: meter.received.read(),
                sent: meter.sent.read(),
                rtt: meter.rtt(),
                ..counts
            },
        }
    }

    /// Returns the last measured round-trip time of a ping, of those that were sent since counting
    /// began: see [`stats`](Self::stats). Pings are the heartbeat's
    /// ([`Limits::ping_interval`](field@crate::Limits::ping_interval)) and those of
    /// [`ping`](Self::ping). The pong must have the ping's payload.
    ///
    /// `None` until a ping was answered, and on transports without pings
    /// ([`Capabilities::PING`](crate::Capabilities::PING)), such as a Worker's. A client that sends
    /// unsolicited pongs can make the time shorter than it is.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Some(rtt) = peer.rtt() {
    ///     peer.send(Json(rtt.as_millis() as u64))?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn rtt(&self) -> Option<Duration> {
        self.metered()?.rtt()
    }

    /// Begins to count, if the transport supports it.
    pub(crate) fn metered(&self) -> Option<&Meter> {
        let cell = self.transport().meter()?;
        Some(match cell.get() {
            Some(meter) => meter,
            None => {
                self.life().set_metered();
                cell.begin(self.transport().now())
            }
        })
    }

    /// Counts a message that the client has sent, if counting has begun.
    pub(crate) fn count_received(&self, bytes: usize) {
        if self.life().is_metered()
            && let Some(meter) = self.metered()
        {
            meter.received(bytes);
        }
    }
}

crate::opaque_debug!([] Meter, self =>
    since: self.since, received: self.received.read(), sent: self.sent.read(), rtt: self.rtt());

crate::opaque_debug!([] MeterCell, self => (self.get()));

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn cell() -> MeterCell {
        let cell = MeterCell::default();
        cell.begin(SystemTime::UNIX_EPOCH);
        cell
    }

    #[test]
    fn a_cell_is_a_pointer() {
        assert_eq!(size_of::<MeterCell>(), size_of::<usize>());
        assert!(MeterCell::default().get().is_none());
    }

    #[test]
    fn a_round_trip_ends_with_the_pong_of_its_ping() {
        let cell = cell();
        let meter = cell.get().unwrap();
        meter.ponged(b"", millis(1));
        assert_eq!(meter.rtt(), None, "nothing was asked");
        meter.pinged(Bytes::from_static(b"a"), millis(10));
        meter.ponged(b"b", millis(11));
        assert_eq!(meter.rtt(), None, "another answer");
        meter.ponged(b"a", millis(13));
        assert_eq!(meter.rtt(), Some(millis(3)));
        meter.ponged(b"a", millis(99));
        assert_eq!(meter.rtt(), Some(millis(3)), "answered before");
    }

    #[test]
    fn the_first_of_two_equal_pings_and_the_last_of_different_ones_are_measured() {
        let cell = cell();
        let meter = cell.get().unwrap();
        meter.pinged(Bytes::new(), millis(10));
        meter.pinged(Bytes::new(), millis(20));
        meter.ponged(b"", millis(21));
        assert_eq!(meter.rtt(), Some(millis(11)));
        meter.pinged(Bytes::from_static(b"lost"), millis(30));
        meter.pinged(Bytes::from_static(b"found"), millis(40));
        meter.ponged(b"found", millis(41));
        assert_eq!(meter.rtt(), Some(millis(1)));
    }

    #[test]
    fn a_trip_of_no_time_is_one() {
        let cell = cell();
        let meter = cell.get().unwrap();
        meter.pinged(Bytes::new(), millis(10));
        meter.ponged(b"", millis(10));
        assert_eq!(meter.rtt(), Some(Duration::ZERO));
    }
}
