use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::SubscribeError;
use crate::hub::settings::{RouteSettings, Settings};
use crate::sort::sort_by;

/// A bound on a size or a count. For no bound, write [`Limit::Unlimited`].
///
/// ```
/// # use crossws_core::*;
/// let limits = Limits::default().max_topics(1_000).max_patterns(Limit::Unlimited);
/// assert!(limits.max_topics.allows(1_000));
/// assert!(!limits.max_topics.allows(1_001));
/// assert_eq!(limits.max_patterns, Limit::Unlimited);
/// ```
// Exhaustive on purpose: there is a bound or there is none.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// At most this much.
    At(usize),
    /// No bound: the other side decides how much memory is used.
    Unlimited,
}

impl Limit {
    /// Returns whether `amount` is within the bound.
    pub fn allows(self, amount: usize) -> bool {
        amount <= self.get()
    }

    /// Returns the bound as a number, `usize::MAX` for no bound.
    pub fn get(self) -> usize {
        match self {
            Self::At(most) => most,
            Self::Unlimited => usize::MAX,
        }
    }
}

impl From<usize> for Limit {
    fn from(most: usize) -> Self {
        Self::At(most)
    }
}

/// What happens to a peer whose outbound queue is full.
///
/// Every message that a policy discards is counted: per peer in `Peer::dropped`, in total in
/// `Hub::stats`.
///
/// ```
/// # use crossws_core::*;
/// // A client that reads too slowly misses old prices, and stays.
/// let limits = Limits::default().max_queued(100).overflow(Overflow::DropOldest);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// Discard the queue and close with 1013 "slow consumer". Only under this policy has a
    /// connected peer seen every message in order.
    #[default]
    Close,
    /// Refuse the new message; the error of `send` returns it.
    DropNewest,
    /// Discard the oldest queued messages until the new one fits.
    DropOldest,
}

/// Limits by their names, as numbers; `null` for no bound.
pub(crate) type Stored = Map<String, Value>;

/// A limit as a number: times in milliseconds.
trait Number {
    fn number(&self) -> Option<u64>;
    fn set(&mut self, number: Option<u64>);
}

impl Number for Limit {
    fn number(&self) -> Option<u64> {
        match *self {
            Self::At(most) => u64::try_from(most).ok(),
            Self::Unlimited => None,
        }
    }

    fn set(&mut self, number: Option<u64>) {
        let most = number.and_then(|most| usize::try_from(most).ok());
        *self = most.map_or(Self::Unlimited, Self::At);
    }
}

impl Number for bool {
    fn number(&self) -> Option<u64> {
        Some((*self).into())
    }

    fn set(&mut self, number: Option<u64>) {
        *self = number == Some(1);
    }
}

impl Number for Duration {
    fn number(&self) -> Option<u64> {
        u64::try_from(self.as_millis()).ok()
    }

    fn set(&mut self, number: Option<u64>) {
        *self = number.map_or(Self::MAX, Self::from_millis);
    }
}

impl Number for Option<Duration> {
    fn number(&self) -> Option<u64> {
        self.as_ref().and_then(Number::number)
    }

    fn set(&mut self, number: Option<u64>) {
        *self = number.map(Duration::from_millis);
    }
}

impl Number for Overflow {
    fn number(&self) -> Option<u64> {
        Some(match self {
            Self::Close => 0,
            Self::DropNewest => 1,
            Self::DropOldest => 2,
        })
    }

    fn set(&mut self, number: Option<u64>) {
        *self = match number {
            Some(1) => Self::DropNewest,
            Some(2) => Self::DropOldest,
            _ => Self::Close,
        };
    }
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ty = $default:expr;)+) => {
        /// The limits of a server, with safe defaults; `docs/limits.md` gives the reasons.
        ///
        /// ```
        /// # use crossws_core::{Limit, Limits};
        /// let limits = Limits::default().max_message_size(64 << 10).max_topics(Limit::Unlimited);
        /// assert_eq!(limits.max_message_size, Limit::At(64 << 10));
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $name: $kind,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Limits {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](field@Self::", stringify!($name), "):")]
                $(#[doc = $doc])+
                #[must_use]
                pub fn $name(mut self, value: impl Into<$kind>) -> Self {
                    self.$name = value.into();
                    self
                }
            )+

            const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// Returns the limits in the order of their names.
            #[inline(never)]
            fn each(&mut self) -> [&mut dyn Number; Self::NAMES.len()] {
                [$(&mut self.$name),+]
            }
        }

        impl RouteSettings {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](field@Limits::", stringify!($name), ") for this route:")]
                $(#[doc = $doc])+
                #[must_use]
                pub fn $name(self, value: impl Into<$kind>) -> Self {
                    let value = value.into();
                    self.change(move |settings: &mut Settings| settings.limits.$name = value)
                }
            )+
        }
    };
}

limits! {
    /// Largest message a peer may send, in bytes; larger ones close with 1009. Default 1 MiB.
    max_message_size: Limit = Limit::At(1 << 20);
    /// Largest frame a peer may send, in bytes as they arrive, which may be compressed; larger ones
    /// close with 1009. Only where this library reads the frames itself. Default unlimited: the
    /// bound on a message bounds its frames, too.
    max_frame_size: Limit = Limit::Unlimited;
    /// Most bytes that all connections of this hub hold of unfinished input: parts of messages,
    /// handshakes, and connections that speak plain HTTP. A message whose next part has no room
    /// closes its peer with 1013; a request, or a new connection, is refused with 503. The last
    /// quarter is for handshakes alone. Only where this library owns the socket and reads the
    /// frames itself. Default 256 MiB.
    max_unfinished: Limit = Limit::At(256 << 20);
    /// Most frames of one message, empty ones included; more close with 1008. Where the platform
    /// joins fragments itself, as Workers do, this limit has no effect. Default 16,384.
    max_fragments: Limit = Limit::At(16_384);
    /// Longest time from the first byte of a message to its last, in which this side reads; then the
    /// peer is closed with 3008. `None` for no bound. Only where this library reads the frames itself.
    /// Default 120 s.
    message_timeout: Option<Duration> = Some(Duration::from_secs(120));
    /// Most messages read ahead of a busy hook; then the socket is not read. Pings and pongs do not count:
    /// the latest this many of them wait for their hooks. Default 16.
    max_inbound: Limit = Limit::At(16);
    /// Most control frames (ping, pong) a peer may send per second; more close with 1008.
    /// Default 100.
    max_control_rate: Limit = Limit::At(100);
    /// Most bytes queued for one peer. Default 1 MiB.
    max_buffered: Limit = Limit::At(1 << 20);
    /// Most messages queued for one peer. Default 4,096.
    max_queued: Limit = Limit::At(4096);
    /// Longest time the queue's head may wait without a write of any part of the queue; `None` for
    /// no bound. Each write counts, however slow: a client on a line of 10 KiB/s makes room every
    /// ten seconds, when its system has emptied half of its buffer. Default 30 s.
    max_queue_age: Option<Duration> = Some(Duration::from_secs(30));
    /// What happens when one of the three queue bounds is reached. Default [`Overflow::Close`].
    overflow: Overflow = Overflow::Close;
    /// Most topics one peer may be subscribed to. Default 128.
    max_topics: Limit = Limit::At(128);
    /// Most named timers that one peer may have set at a time; one more is refused with
    /// [`TimerError::TooMany`](crate::TimerError::TooMany). Default 16.
    max_timers: Limit = Limit::At(16);
    /// Most [patterns](crate::Peer::subscribe_pattern) one peer may be subscribed to. Default 16.
    max_patterns: Limit = Limit::At(16);
    /// Most [tags](crate::Peer::tag) one peer may have. Default 16.
    max_tags: Limit = Limit::At(16);
    /// Most topics of this hub, patterns among them, in all of its namespaces together; a subscription to one more is
    /// refused with [`SubscribeError::HubFull`]. Default 262,144.
    max_hub_topics: Limit = Limit::At(262_144);
    /// Most bytes of the messages that this hub's topics [retain](crate::To::retained), in all of its
    /// namespaces together. Each counts with its topic's name and 256 bytes, and while it is replaced the
    /// earlier one counts as well. One more is refused with
    /// [`RetainError::Full`](crate::RetainError::Full). A bound of the hub. Default 16 MiB.
    max_retained: Limit = Limit::At(16 << 20);
    /// Longest name of a topic, a pattern, a namespace, an identity, a tag or a timer, in bytes. Default 255.
    max_name_len: Limit = Limit::At(255);
    /// Longest target of a request, path and query together, in bytes; a longer one is refused with
    /// 414 before any other code reads it. A bound of the hub. Default 8 KiB.
    max_target: Limit = Limit::At(8 << 10);
    /// Most namespaces with peers in them, or with messages that the hub retains; an upgrade into one more is refused with 503.
    /// Default 65,536.
    max_namespaces: Limit = Limit::At(65_536);
    /// Most peers on this hub; one more upgrade is refused with 503. Default 65,536.
    max_peers: Limit = Limit::At(65_536);
    /// Most bytes of its request that a peer keeps, including the target, which it always keeps.
    /// The largest headers are dropped first, after the `upgrade` hook, and those that
    /// `HubBuilder::keep_headers` names last. A peer that hibernates keeps only the latter. Default
    /// 4,096.
    max_kept_head: Limit = Limit::At(4096);
    /// Longest time the `upgrade` hook may take before the client gets a 503. Default 10 s.
    upgrade_timeout: Duration = Duration::from_secs(10);
    /// Longest wait for the client's answer to our close frame, and for a last write. Default 5 s.
    close_timeout: Duration = Duration::from_secs(5);
    /// Whether a client's pings are answered before its `ping` hook runs. If not, only the hook can
    /// answer, with `Peer::pong`. Where the platform answers pings itself, as Workers do, a
    /// connection that turns this off is closed with 1011. Default true.
    auto_pong: bool = true;
    /// Whether a connection's traffic is counted from its beginning, and not only after the first
    /// call of `Peer::stats` or `Peer::rtt`. It takes some 150 bytes of each connection, and a few
    /// additions for each message. Default false.
    count_traffic: bool = false;
    /// How often a ping is sent, ± 10 % so that peers do not ping at the same moment; `None` for
    /// never. Default 25 s.
    ping_interval: Option<Duration> = Some(Duration::from_secs(25));
    /// How long after a ping the client must have sent any data. The time begins when the ping is
    /// written, and later for a slow client: if a write has had to wait for it since its last pong,
    /// the data in the buffers of both systems may take `max_queue_age` more. Default 20 s.
    pong_timeout: Duration = Duration::from_secs(20);
    /// Longest silence of a peer that is not pinged; `None` for no bound. Default 120 s.
    idle_timeout: Option<Duration> = Some(Duration::from_secs(120));
    /// Longest time without a message from the client, after which it is closed with 3008
    /// "inactive". Pings and pongs do not count, nor does time in which the client is not read
    /// because there is no room. `None` for no bound. Default `None`.
    inactivity_timeout: Option<Duration> = None;
    /// Longest life of a connection, ± 10 %, after which it closes with 1012; `None` for no
    /// bound. Default none.
    max_lifetime: Option<Duration> = None;
}

// Loops over all limits, and no code for each: a Worker has it all.
impl Limits {
    /// Returns limits with which nothing is checked: no bound on any size, count or time.
    pub(crate) fn unlimited() -> Self {
        let mut limits = Self::default();
        for limit in limits.each() {
            limit.set(None);
        }
        limits
    }

    /// Returns the limits that differ from these, for storage.
    pub(crate) fn to_stored(&self, hub: &Self) -> Stored {
        let (mut own, mut hub) = (self.clone(), hub.clone());
        let limits = own.each().into_iter().zip(hub.each());
        let mut stored = Stored::new();
        for (name, (own, hub)) in Self::NAMES.iter().zip(limits) {
            let own = own.number();
            if own != hub.number() {
                stored.insert((*name).to_owned(), own.into());
            }
        }
        stored
    }

    /// Changes the limits that were stored. Values that no version has stored are ignored.
    pub(crate) fn apply_stored(&mut self, stored: &Stored) {
        for (name, limit) in Self::NAMES.iter().zip(self.each()) {
            match stored.get(*name) {
                Some(Value::Null) => limit.set(None),
                Some(value) if value.is_u64() => limit.set(value.as_u64()),
                _ => {}
            }
        }
    }

    /// Returns whether a topic's name is short enough.
    pub(crate) fn check_name(&self, name: &str) -> Result<(), SubscribeError> {
        if self.max_name_len.allows(name.len()) {
            Ok(())
        } else {
            Err(SubscribeError::NameTooLong {
                len: name.len(),
                most: self.max_name_len.get(),
            })
        }
    }

    /// Checks that a peer may be subscribed to all of these.
    pub(crate) fn check_topics(&self, topics: &[Arc<str>]) -> Result<(), SubscribeError> {
        for topic in topics {
            self.check_name(topic)?;
        }
        let mut distinct: Vec<_> = topics.iter().collect();
        sort_by(&mut distinct, Ord::cmp);
        distinct.dedup();
        if self.max_topics.allows(distinct.len()) {
            Ok(())
        } else {
            Err(SubscribeError::TooMany(self.max_topics.get()))
        }
    }
}

/// How many bytes must have been queued for one peer before the `drain` hook runs when the queue is
/// empty again: 64 KiB, about the size of a socket's own buffer.
pub const DRAIN_MARK: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::{Limit, Limits};

    #[test]
    fn unlimited_raises_every_limit() {
        let debug = format!("{:?}", Limits::unlimited());
        assert!(!debug.contains("At("), "{debug}");
        let defaults = format!("{:?}", Limits::default());
        let count = |text: &str, what: &str| text.matches(what).count();
        let bounds = count(&defaults, "At(") + count(&defaults, "Unlimited");
        assert_eq!(count(&debug, &format!("{:?}", Limit::Unlimited)), bounds);
        assert!(!debug.contains("Some("), "{debug}");
    }
}
