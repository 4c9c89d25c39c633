use std::error::Error as StdError;
use std::fmt;

use tracing::Level;

use crate::bounds::BoxError;
use crate::hub::labels::LabelError;
use crate::message::Message;
use crate::message::codec::EncodeError;
use crate::observe::trace;
use crate::peer::Peer;
use crate::peer::expiry::ExpiryError;
use crate::peer::id::PeerId;
use crate::peer::snapshot::PersistError;
use crate::pubsub::pattern::InvalidPattern;

/// A hook, by name: in errors, in logs and in tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HookKind {
    /// The application starts.
    Start,
    /// Choosing the hooks for a request.
    Resolve,
    /// Before the 101.
    Upgrade,
    /// The connection is open.
    Open,
    /// A message arrived.
    Message,
    /// The outbound queue is empty again.
    Drain,
    /// A ping arrived.
    Ping,
    /// A pong arrived.
    Pong,
    /// A subscription began or ended.
    Subscription,
    /// Messages were discarded.
    Dropped,
    /// A timer is due.
    Timer,
    /// The connection ended.
    Close,
    /// Something failed.
    Error,
    /// A future given to `Peer::spawn`, or a handler's loop.
    Task,
    /// A future given to `Peer::on_close`.
    OnClose,
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Resolve => "resolve",
            Self::Upgrade => "upgrade",
            Self::Open => "open",
            Self::Message => "message",
            Self::Drain => "drain",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Subscription => "subscription",
            Self::Dropped => "dropped",
            Self::Timer => "timer",
            Self::Close => "close",
            Self::Error => "error",
            Self::Task => "task",
            Self::OnClose => "on_close",
        })
    }
}

/// What kind of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A hook returned an error.
    Hook(HookKind),
    /// A hook panicked. The peer is closed whatever the `error` hook answers.
    Panic(HookKind),
    /// The client broke the protocol or a limit. The peer is closed whatever the `error` hook
    /// answers.
    Protocol,
}

/// What the `error` hook is told: a kind, a text, and the source where there is one.
///
/// The text is for people and may change; decide by [`kind`](Self::kind) and
/// [`downcast_ref`](Self::downcast_ref).
// Boxed, so that what nearly never fails answers with a pointer.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    text: String,
    source: Option<BoxError>,
}

impl Error {
    /// An error that a hook returned.
    pub fn hook(hook: HookKind, source: BoxError) -> Self {
        let text = format!("the {hook} hook failed");
        Self::new(ErrorKind::Hook(hook), text, Some(source))
    }

    /// A panic that was caught in a hook.
    pub fn panic(hook: HookKind, message: &str) -> Self {
        let text = format!("the {hook} hook panicked: {message}");
        Self::new(ErrorKind::Panic(hook), text, None)
    }

    /// A broken protocol rule or limit, as an adapter reports it.
    pub fn protocol(source: impl Into<BoxError>) -> Self {
        let text = "the client broke the protocol or a limit".to_owned();
        Self::new(ErrorKind::Protocol, text, Some(source.into()))
    }

    fn new(kind: ErrorKind, text: String, source: Option<BoxError>) -> Self {
        Self(Box::new(Inner { kind, text, source }))
    }

    /// Whether a hook failed only because its peer was gone already.
    pub(crate) fn is_departure(&self) -> bool {
        matches!(self.downcast_ref(), Some(SendError::Closed(_)))
            || matches!(self.downcast_ref(), Some(ControlError::Closed))
            || matches!(self.downcast_ref(), Some(SubscribeError::Closed))
            || matches!(self.downcast_ref(), Some(ExpiryError::Closed))
            || matches!(self.downcast_ref(), Some(LabelError::Closed))
    }

    /// Writes the error to the log, as the default `error` hook does: what a client can cause at
    /// will at the level of debugging, everything else as an error.
    pub fn log(&self, peer: &Peer) {
        let level = match self.0.kind {
            ErrorKind::Protocol => Level::DEBUG,
            _ => Level::ERROR,
        };
        trace::failed(level, peer, self);
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The source as a concrete type, such as the error type a hook returned.
    pub fn downcast_ref<T: StdError + 'static>(&self) -> Option<&T> {
        self.0.source.as_ref()?.downcast_ref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, text, source } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("text", text)
            .field("source", source)
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&**self.0.source.as_ref()?)
    }
}

/// A message that was not queued, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed. The message is handed back.
    #[error("not sent: the connection is closed")]
    Closed(Message),
    /// The peer's queue is full and the policy refuses. The message is handed back.
    #[error("not sent: the peer's queue is full")]
    Full(Message),
    /// The value cannot be encoded.
    #[error("not sent: {0}")]
    Encode(#[from] EncodeError),
    /// The transport cannot send this.
    #[error("not sent: this transport does not support {0}")]
    Unsupported(&'static str),
}

impl SendError {
    /// The message that was not sent, where there was one.
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Closed(message) | Self::Full(message) => Some(message),
            Self::Encode(_) | Self::Unsupported(_) => None,
        }
    }
}

/// A ping or pong that was not queued, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The connection is closing or closed.
    #[error("not sent: the connection is closed")]
    Closed,
    /// A control frame holds at most 125 bytes (RFC 6455 section 5.5).
    #[error("not sent: {0} bytes do not fit into a control frame of 125")]
    TooLong(usize),
    /// A ping of ours is still waiting to be written; one at a time is kept.
    #[error("not sent: the one before is still waiting to be written")]
    Busy,
    /// The transport has no control frames of its own.
    #[error("not sent: this transport sends no control frames")]
    Unsupported,
}

/// Why a subscription was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The connection is closing or closed.
    #[error("not subscribed: the connection is closed")]
    Closed,
    /// The peer has as many topics as `Limits::max_topics` allows.
    #[error("not subscribed: the peer already has {0} topics, the most it may have")]
    TooMany(usize),
    /// The peer has as many patterns as `Limits::max_patterns` allows.
    #[error("not subscribed: the peer already has {0} patterns, the most it may have")]
    TooManyPatterns(usize),
    /// The pattern is none.
    #[error("not subscribed: {0}")]
    Pattern(#[from] InvalidPattern),
    /// The hub has as many topics as `Limits::max_hub_topics` allows, and this would be a new one.
    #[error("not subscribed: the hub already has {0} topics, the most it may have")]
    HubFull(usize),
    /// The topic's name is longer than `Limits::max_name_len`.
    #[error("not subscribed: the topic's name has {len} bytes, at most {most} are allowed")]
    NameTooLong {
        /// The name's length in bytes.
        len: usize,
        /// The longest length allowed.
        most: usize,
    },
    /// The transport has no topics.
    #[error("not subscribed: this transport has no topics")]
    Unsupported,
    /// The subscription could not be stored, on a transport that hibernates.
    #[error("not subscribed: {0}")]
    Persist(#[from] PersistError),
}

/// Why a message was not published at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The value cannot be encoded.
    #[error("not published: {0}")]
    Encode(#[from] EncodeError),
    /// The transport has no topics.
    #[error("not published: this transport has no topics")]
    Unsupported,
    /// The connections of the route, of the identity or with the tag are on several hubs, and this one
    /// does not know them all: [`Capabilities::ROUTES`](crate::Capabilities::ROUTES) is absent. See
    /// [`Group::here`](crate::Group::here).
    #[error("not published: {0}")]
    Route(#[from] Unsupported),
}

/// What a transport cannot do, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this transport does not support {0}")]
pub struct Unsupported(pub(crate) &'static str);

impl Unsupported {
    /// A transport that cannot do `what`.
    pub const fn new(what: &'static str) -> Self {
        Self(what)
    }
}

/// An id that is in use on this hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("peer id {0} is in use on this hub")]
pub struct DuplicateId(pub(crate) PeerId);
