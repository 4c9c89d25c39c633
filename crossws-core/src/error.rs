use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

use crate::bounds::BoxError;
use crate::message::Message;
use crate::message::codec::EncodeError;
use crate::peer::id::PeerId;
use crate::peer::snapshot::persist_error::PersistError;
use crate::pubsub::pattern::InvalidPattern;
use crate::pubsub::retained::RetainError;

/// A hook, by name: in errors, in logs and in tests.
///
/// `Display` writes what serde does, the name of the hook's method, such as `open`.
///
/// ```
/// # use crossws_core::*;
/// fn is_upgrade(error: &Error) -> bool {
///     matches!(error.kind(), ErrorKind::Hook(HookKind::Upgrade))
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HookKind {
    /// The start of the application.
    Start,
    /// The choice of the hooks for a request.
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
    /// A failure.
    Error,
    /// A future given to `Peer::spawn`, or a handler's loop.
    Task,
    /// A future given to `Peer::on_close`.
    OnClose,
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The kind of an [`Error`].
///
/// ```
/// # use crossws_core::*;
/// struct Chat;
///
/// impl Hooks for Chat {
///     async fn error(&self, peer: &Peer, error: Error) -> OnError {
///         match error.kind() {
///             ErrorKind::Protocol => {} // the client's mistake
///             _ => error.log(peer),
///         }
///         OnError::default()
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A hook returned an error.
    Hook(HookKind),
    /// A hook panicked. The peer is closed whatever the `error` hook returns.
    Panic(HookKind),
    /// The settings keep the application from starting: the source is a
    /// [`SettingsError`](crate::SettingsError), or a route's error with such a source.
    Settings,
    /// The client broke the protocol or a limit. The peer is closed whatever the `error` hook
    /// returns.
    Protocol,
}

/// The argument of the `error` hook: a kind, a text, and the source if there is one.
///
/// The text is for people and may change; decide by [`kind`](Self::kind) and
/// [`downcast_ref`](Self::downcast_ref).
// Boxed, so that a `Result` that hardly ever fails carries only a pointer.
pub struct Error(Box<ErrorParts>);

struct ErrorParts {
    kind: ErrorKind,
    text: String,
    source: Option<BoxError>,
}

impl Error {
    /// Creates the error for a hook that returned one.
    pub fn hook(hook: HookKind, source: BoxError) -> Self {
        let text = format!("the {hook} hook failed");
        Self::new(ErrorKind::Hook(hook), text, Some(source))
    }

    /// Creates the error for a panic that was caught in a hook.
    pub fn panic(hook: HookKind, message: &str) -> Self {
        let text = format!("the {hook} hook panicked: {message}");
        Self::new(ErrorKind::Panic(hook), text, None)
    }

    /// Creates the error for a broken protocol rule or limit, as an adapter reports it.
    pub fn protocol(source: impl Into<BoxError>) -> Self {
        let text = "the client broke the protocol or a limit".to_owned();
        Self::new(ErrorKind::Protocol, text, Some(source.into()))
    }

    /// Returns the error with another kind and text, and the same source.
    pub(crate) fn retold(mut self, kind: ErrorKind, text: &str) -> Self {
        self.0.kind = kind;
        text.clone_into(&mut self.0.text);
        self
    }

    fn new(kind: ErrorKind, text: String, source: Option<BoxError>) -> Self {
        Self(Box::new(ErrorParts { kind, text, source }))
    }

    /// Returns the kind of failure.
    ///
    /// ```
    /// # use crossws_core::*;
    /// fn is_panic(error: &Error) -> bool {
    ///     matches!(error.kind(), ErrorKind::Panic(_))
    /// }
    /// ```
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the source as a concrete type, such as the error type a hook returned.
    ///
    /// ```
    /// # use crossws_core::*;
    /// fn is_malformed(error: &Error) -> bool {
    ///     error.downcast_ref::<DecodeError>().is_some()
    /// }
    /// ```
    pub fn downcast_ref<T: StdError + 'static>(&self) -> Option<&T> {
        self.0.source.as_ref()?.downcast_ref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorParts { kind, text, source } = &*self.0;
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

/// Why a message was not queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed. The message is returned.
    #[error("not sent: the connection is closed")]
    Closed(Message),
    /// The peer's queue is full and its policy refuses the message. The message is returned.
    #[error("not sent: the peer's queue is full")]
    Full(Message),
    /// The value cannot be encoded.
    #[error("not sent: {0}")]
    Encode(#[from] EncodeError),
    /// The transport cannot send this message.
    #[error("not sent: this transport does not support {0}")]
    Unsupported(&'static str),
}

impl SendError {
    /// Returns the message that was not sent, if there is one.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Err(error) = peer.send("hello") {
    ///     println!("{:?} was not sent", error.into_message())
    /// }
    /// # Ok(()) }
    /// ```
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Closed(message) | Self::Full(message) => Some(message),
            Self::Encode(_) | Self::Unsupported(_) => None,
        }
    }
}

/// Why a ping or pong was not queued.
///
/// ```
/// # use crossws_core::*;
/// fn is_too_long(error: ControlError) -> bool {
///     matches!(error, ControlError::TooLong(_))
/// }
///
/// fn measure(peer: &Peer) -> Result<(), ControlError> {
///     peer.ping("when?")
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The connection is closing or closed.
    #[error("not sent: the connection is closed")]
    Closed,
    /// A control frame holds at most 125 bytes (RFC 6455 section 5.5).
    #[error("not sent: {0} bytes do not fit into a control frame of 125")]
    TooLong(usize),
    /// A ping of this side is still waiting to be written; one is kept at a time.
    #[error("not sent: the one before is still waiting to be written")]
    Busy,
    /// The transport has no control frames of its own.
    #[error("not sent: this transport sends no control frames")]
    Unsupported,
}

/// Why a subscription was refused.
///
/// ```
/// # use crossws_core::*;
/// fn join(peer: &Peer, room: &str) -> HookResult {
///     match peer.subscribe(room) {
///         Err(SubscribeError::TooMany(most)) => peer.send(format!("{most} rooms are the most"))?,
///         joined => {
///             joined?;
///             peer.send(format!("joined {room}"))?
///         }
///     };
///     Ok(())
/// }
/// ```
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
    /// The pattern is invalid.
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

/// Why a message was not published.
///
/// ```
/// # use crossws_core::*;
/// fn tell(hub: &Hub, user: &str) -> Result<Published, PublishError> {
///     match hub.identity(user).send("hello") {
///         // Other hubs may have connections of this user. Reach those of this hub.
///         Err(PublishError::Route(_)) => hub.identity(user).here().send("hello"),
///         sent => sent,
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The value cannot be encoded.
    #[error("not published: {0}")]
    Encode(#[from] EncodeError),
    /// The transport has no topics.
    #[error("not published: this transport has no topics")]
    Unsupported,
    /// The connections of the route, of the identity or with the tag are on several hubs, and this
    /// hub does not know all of them: [`Capabilities::ROUTES`](crate::Capabilities::ROUTES) is
    /// absent. See [`Group::here`](crate::Group::here).
    #[error("not published: {0}")]
    Route(#[from] Unsupported),
    /// The message cannot be [retained](crate::To::retained).
    #[error("not published: {0}")]
    Retain(#[from] RetainError),
}

/// A capability that a transport lacks, by name.
///
/// ```
/// # use crossws_core::*;
/// let error = Unsupported::new("pings");
/// assert_eq!(error.to_string(), "this transport does not support pings");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this transport does not support {0}")]
pub struct Unsupported(pub(crate) &'static str);

impl Unsupported {
    /// Creates the error for a transport without `what`.
    pub const fn new(what: &'static str) -> Self {
        Self(what)
    }
}

/// An id that is in use on this hub: see [`Upgrade::id`](crate::Upgrade::id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("peer id {0} is in use on this hub")]
pub struct DuplicateId(pub(crate) PeerId);
