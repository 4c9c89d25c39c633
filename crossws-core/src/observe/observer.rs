use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;

use crate::bounds::{BoxError, MaybeSend, MaybeSync};
use crate::error::{Error, HookKind};
use crate::hooks::notice::Dropped;
use crate::hub::stats::refused::RejectReason;
use crate::message::Message;
use crate::message::close::Closed;
use crate::observe::counters::Counters;
use crate::observe::histogram::Class;
use crate::peer::Peer;
use crate::pubsub::published::Published;

/// Observes the events of a hub: for metrics, audit logs, an admin page. Install it with
/// [`HubBuilder::observer`](crate::HubBuilder::observer).
///
/// Every method does nothing by default. The hub calls them under none of its locks, in the task
/// that causes the event, so a method must return quickly and must not block. A panic in one is
/// logged and goes no further. A hub without observers pays one look at a pointer for each call.
///
/// A method may send and publish. Messages that [`emitted`](Self::emitted) and
/// [`dropped`](Self::dropped) send to the same hub are delivered, counted and logged, but its
/// observers are not told of them, nor of what is dropped for them: an observer that answers each
/// message with another is called once.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use crossws_core::{Hub, Message, Observer, Peer};
///
/// #[derive(Default)]
/// struct Bytes(AtomicU64);
///
/// impl Observer for Bytes {
///     fn received(&self, _: &Peer, message: &Message) {
///         self.0.fetch_add(message.len() as u64, Ordering::Relaxed);
///     }
/// }
///
/// let hub = Hub::builder().observer(Bytes::default()).build();
/// ```
#[expect(unused_variables, reason = "a default has no use for its arguments")]
pub trait Observer: MaybeSend + MaybeSync + 'static {
    /// A peer has joined the hub; its `open` hook has not run. A peer that wakes from hibernation does
    /// not connect again.
    fn connected(&self, peer: &Peer) {}

    /// A connection has ended; its `close` hook has not run. Called once for each peer that
    /// [connected](Self::connected).
    fn disconnected(&self, peer: &Peer, disconnected: &Disconnected) {}

    /// Returns whether [`received`](Self::received) and [`emitted`](Self::emitted) are called. They are by
    /// default. An observer that needs neither returns `false` and saves their calls for each message:
    /// the hub [counts](crate::HubBuilder::counters) messages without them. The hub asks once, when it is
    /// built.
    fn wants_messages(&self) -> bool {
        true
    }

    /// A message of the client has reached the `message` hook.
    fn received(&self, peer: &Peer, message: &Message) {}

    /// A message was queued for one peer or for many. Of messages that [differ](crate::To::send_each) each
    /// comes apart. A typed message that clients read in several formats comes once, in the first.
    fn emitted(&self, emitted: &Emitted<'_>) {}

    /// A request for a WebSocket was refused.
    fn rejected(&self, rejected: &Rejected<'_>) {}

    /// A peer has become a slow consumer: its outbound queue has reached a bound, or half of one
    /// while writes had to wait. Called at most once for each connection.
    fn slow(&self, peer: &Peer) {}

    /// A policy has discarded messages for a peer.
    fn dropped(&self, peer: &Peer, dropped: Dropped) {}

    /// A hook has failed or panicked, or a client has broken a rule: the `error` hook gets the same
    /// error next.
    fn failed(&self, peer: &Peer, error: &Error) {}

    /// A hook has taken this long, waiting included. Measured for at most one of
    /// every [256](crate::Counters::SAMPLE) messages, with the transport's clock: zero if the transport
    /// has none.
    fn hook_ended(&self, peer: &Peer, hook: HookKind, took: Duration) {}

    /// A server has answered an HTTP request on the port of the hub's sockets.
    fn responded(&self, responded: &Responded<'_>) {}
}

impl Observer for Counters {
    fn received(&self, _: &Peer, message: &Message) {
        let bytes = message.len();
        self.count_received(Class::of(bytes), bytes as u64, 1);
    }

    fn emitted(&self, emitted: &Emitted<'_>) {
        self.count_sent(emitted.message.len(), emitted.queued);
    }

    fn hook_ended(&self, _: &Peer, _: HookKind, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.hooks.record(micros);
    }
}

/// How a connection ended: see [`Observer::disconnected`].
///
/// ```
/// # use crossws_core::*;
/// struct Sessions;
///
/// impl Observer for Sessions {
///     fn disconnected(&self, peer: &Peer, disconnected: &Disconnected) {
///         println!("{peer}: {} after {:?}", disconnected.closed.code, disconnected.duration);
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disconnected {
    /// The argument of the `close` hook. If no `close` hook runs, because the connection's task was
    /// dropped, the code is [`Closed::ABNORMAL`].
    pub closed: Closed,
    /// How long the connection was open, by the transport's clock. `None` if the transport has no
    /// clock, and for a restored peer.
    pub duration: Option<Duration>,
}

/// A message that was queued: see [`Observer::emitted`].
///
/// ```
/// # use crossws_core::*;
/// struct Fanout;
///
/// impl Observer for Fanout {
///     fn emitted(&self, emitted: &Emitted<'_>) {
///         println!("{} bytes to {} clients", emitted.message.len(), emitted.queued);
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Emitted<'a> {
    /// The message.
    pub message: &'a Message,
    /// The recipients.
    pub to: Audience<'a>,
    /// How many queues accepted it.
    pub queued: usize,
    /// How many messages full queues discarded for it.
    pub dropped: u64,
}

impl<'a> Emitted<'a> {
    pub(crate) fn published(message: &'a Message, to: Audience<'a>, published: Published) -> Self {
        Self {
            message,
            to,
            queued: published.queued,
            dropped: published.dropped,
        }
    }
}

/// Whom a message was for.
///
/// ```
/// # use crossws_core::*;
/// fn label<'a>(to: &Audience<'a>) -> &'a str {
///     to.topic().or(to.route()).unwrap_or("other")
/// }
/// # assert_eq!(label(&Audience::Route("chat")), "chat");
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Audience<'a> {
    /// One peer.
    Peer(&'a Peer),
    /// The subscribers of a topic.
    Topic {
        /// The namespace, `None` for all.
        namespace: Option<&'a str>,
        /// The topic.
        topic: &'a str,
    },
    /// Every peer of a namespace, `None` for all.
    Namespace(Option<&'a str>),
    /// Peers of a namespace, `None` for all: the subscribers of several topics, or of one with
    /// exceptions or options.
    Several(Option<&'a str>),
    /// Connections of a route.
    Route(&'a str),
    /// Connections of an identity.
    Identity(&'a str),
    /// Connections with a tag.
    Tag(&'a str),
}

impl<'a> Audience<'a> {
    pub(crate) fn of(namespace: Option<&'a str>, topic: Option<&'a str>) -> Self {
        match topic {
            Some(topic) => Self::Topic { namespace, topic },
            None => Self::Namespace(namespace),
        }
    }

    /// Returns the namespace, if the audience is within one.
    pub fn namespace(&self) -> Option<&'a str> {
        match *self {
            Self::Peer(peer) => Some(peer.namespace()),
            Self::Topic { namespace, .. }
            | Self::Namespace(namespace)
            | Self::Several(namespace) => namespace,
            Self::Route(_) | Self::Identity(_) | Self::Tag(_) => None,
        }
    }

    /// Returns the topic, if the audience is that of one.
    pub fn topic(&self) -> Option<&'a str> {
        match *self {
            Self::Topic { topic, .. } => Some(topic),
            _ => None,
        }
    }

    /// Returns the route, if the audience is that of one.
    pub fn route(&self) -> Option<&'a str> {
        match *self {
            Self::Route(route) => Some(route),
            _ => None,
        }
    }

    /// Returns the identity, if the audience is that of one.
    pub fn identity(&self) -> Option<&'a str> {
        match *self {
            Self::Identity(identity) => Some(identity),
            _ => None,
        }
    }

    /// Returns the tag, if the audience is that of one.
    pub fn tag(&self) -> Option<&'a str> {
        match *self {
            Self::Tag(tag) => Some(tag),
            _ => None,
        }
    }

    /// Returns the peer, if the audience is one peer.
    pub fn peer(&self) -> Option<&'a Peer> {
        match *self {
            Self::Peer(peer) => Some(peer),
            _ => None,
        }
    }
}

/// A refused request: see [`Observer::rejected`].
///
/// ```
/// # use crossws_core::*;
/// struct Refusals;
///
/// impl Observer for Refusals {
///     fn rejected(&self, rejected: &Rejected<'_>) {
///         let Rejected { status, path, remote_addr, .. } = rejected;
///         println!("{status} for {path}, asked by {remote_addr:?}: {}", rejected.reason.name());
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Rejected<'a> {
    /// The response's status.
    pub status: StatusCode,
    /// The reason of the refusal.
    pub reason: RejectReason,
    /// The path, without the query, which may hold a token. Empty if the request has none.
    pub path: &'a str,
    /// The client's address, if it is known.
    pub remote_addr: Option<SocketAddr>,
    /// The error that caused the refusal, if there is one.
    pub error: Option<&'a BoxError>,
}

/// An HTTP request and its response: see [`Observer::responded`].
///
/// ```
/// # use crossws_core::*;
/// struct Access;
///
/// impl Observer for Access {
///     fn responded(&self, it: &Responded<'_>) {
///         println!("{} {} {} in {:?}", it.method, it.path, it.status, it.took);
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Responded<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's path, without the query.
    pub path: &'a str,
    /// The response's status.
    pub status: StatusCode,
    /// How long the service took to begin the response.
    pub took: Duration,
}

impl<'a> Responded<'a> {
    /// Creates a response to a request.
    pub const fn new(method: &'a str, path: &'a str, status: StatusCode, took: Duration) -> Self {
        Self {
            method,
            path,
            status,
            took,
        }
    }
}
