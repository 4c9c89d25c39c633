use std::fmt;
use std::ops::BitOr;

/// The features of a transport, as data: checked before a call, and used to select conformance
/// cases.
///
/// A call that needs an absent capability returns a typed error; it never fails silently.
///
/// ```
/// # use crossws_core::*;
/// let needed = Capabilities::PUBSUB.with(Capabilities::DRAIN);
/// assert!(needed.contains(Capabilities::DRAIN));
/// assert!(needed.names().eq(["pubsub", "drain"]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(u32);

macro_rules! capabilities {
    ($($(#[doc = $doc:literal])+ $name:ident = $bit:literal, $word:literal;)+) => {
        impl Capabilities {
            $($(#[doc = $doc])+ pub const $name: Self = Self(1 << $bit);)+

            /// Every capability with its name, in a stable order.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $word)),+];
        }
    };
}

capabilities! {
    /// Topics, `publish` and `broadcast` reach other peers.
    PUBSUB = 0, "pubsub";
    /// Binary messages arrive as binary.
    BINARY = 1, "binary";
    /// The client's close code and reason are seen, and ours reach it.
    CLOSE_CODE = 2, "close-code";
    /// `terminate` drops the connection without a close frame.
    TERMINATE = 3, "terminate";
    /// `ping` is sent, and the client's pings and pongs reach the hooks.
    PING = 4, "ping";
    /// A heartbeat finds and closes silent peers.
    HEARTBEAT = 5, "heartbeat";
    /// `buffered_amount` is a real number and `drained` waits for it to fall.
    DRAIN = 6, "drain";
    /// The client's address is known.
    REMOTE_ADDR = 7, "remote-addr";
    /// Subprotocols are negotiated.
    SUBPROTOCOL = 8, "subprotocol";
    /// A handler may own the connection in a loop; a loop cannot survive hibernation.
    HANDLER = 9, "handler";
    /// A panic in a hook is contained to its peer.
    PANIC = 10, "panic";
    /// `shutdown` closes peers, waits and reports.
    SHUTDOWN = 11, "shutdown";
    /// A message that is sent before an await is on the wire while the hook still waits.
    CONCURRENT_WRITE = 12, "concurrent-write";
    /// Connections begin as HTTP/1.1 on a byte stream, so that a client can send malformed requests.
    RAW_HTTP = 13, "raw-http";
    /// A peer outlives its memory: subscriptions and the context are stored as they change, and a
    /// sleeping server wakes with its peers.
    HIBERNATION = 14, "hibernation";
    /// Messages are compressed with clients that offer it, if [`Deflate`](crate::Deflate) is set.
    COMPRESSION = 15, "compression";
    /// A peer is closed in time when its credentials end.
    EXPIRY = 16, "expiry";
    /// Peers share their hub: they are listed together, found by id, counted against `max_peers`,
    /// and can be sent to and closed from outside. Without it each has a hub of its own.
    SHARED_HUB = 17, "shared-hub";
    /// The hub knows all connections of a route, of an identity and with a tag:
    /// [`Hub::route`](crate::Hub::route), [`Hub::identity`](crate::Hub::identity) and
    /// [`Hub::tagged`](crate::Hub::tagged) reach them.
    ROUTES = 18, "routes";
    /// An upgrade can hand the connection's stream to other code: see
    /// [`Upgrade::take`](crate::Upgrade::take).
    RAW_STREAM = 19, "raw-stream";
    /// Topics retain messages for later subscribers: see [`To::retained`](crate::To::retained).
    RETAINED = 20, "retained";
    /// Frames arrive as bytes, so that a client can send malformed ones.
    RAW_FRAMES = 21, "raw-frames";
}

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);

    /// Returns whether every capability of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the capabilities that are not in this set.
    pub const fn missing(self) -> Self {
        let mut all = Self::NONE;
        let mut index = 0;
        while index < Self::ALL.len() {
            all = all.with(Self::ALL[index].0);
            index += 1;
        }
        all.without(self)
    }

    /// Returns whether any capability of `other` is in this set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the union of both sets.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns this set without those of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the names of the capabilities in this set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL
            .iter()
            .filter(move |(one, _)| self.contains(*one))
            .map(|(_, name)| *name)
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
