//! Which topics a client may subscribe and publish to.

use std::sync::Arc;

use crossws_core::{BoxError, BoxFuture, MaybeSend, MaybeSync, Peer};

/// An action that a client requests.
///
/// ```
/// use crossws_app::rooms::{Action, Wish, rooms};
/// use crossws_core::{Peer, hooks};
///
/// /// Everyone reads the news. Editors write them.
/// async fn news(peer: Peer, wish: Wish) -> bool {
///     match wish.action {
///         Action::Subscribe => true,
///         Action::Publish => peer.identity().as_deref() == Some("editor"),
///         _ => false,
///     }
/// }
///
/// let app = rooms(hooks()).authorize("news/**", news);
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wish {
    /// The requested action.
    pub action: Action,
    /// The topic, in the peer's namespace.
    pub topic: Arc<str>,
}

impl Wish {
    /// Creates a wish for this action on this topic.
    pub fn new(action: Action, topic: impl Into<Arc<str>>) -> Self {
        let topic = topic.into();
        Self { action, topic }
    }
}

/// What a client wants to do with a topic: see [`Wish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Receive the publications of the topic.
    Subscribe,
    /// Publish to the topic.
    Publish,
}

/// The actions that every client may perform on the topics of a pattern: see
/// [`Rooms::allow`](super::Rooms::allow).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Allow {
    /// Subscribe, but not publish.
    Subscribe,
    /// Publish, but not subscribe.
    Publish,
    /// Both.
    Both,
    /// Nothing: for an exception before a wider pattern.
    Nothing,
}

impl Allow {
    pub(super) fn allows(self, action: Action) -> bool {
        match self {
            Self::Subscribe => action == Action::Subscribe,
            Self::Publish => action == Action::Publish,
            Self::Both => true,
            Self::Nothing => false,
        }
    }
}

/// The output of a function that authorizes: `bool`, or a `Result` of one. An error is logged, and
/// the wish is not granted. See [`Authorize`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether a wish is granted",
    label = "expected `bool` or `Result<bool, E>`"
)]
pub trait Verdict {
    /// Returns whether the wish is granted.
    ///
    /// # Errors
    /// If the decision could not be made.
    fn decide(self) -> Result<bool, BoxError>;
}

impl Verdict for bool {
    fn decide(self) -> Result<bool, BoxError> {
        Ok(self)
    }
}

impl<E: Into<BoxError>> Verdict for Result<bool, E> {
    fn decide(self) -> Result<bool, BoxError> {
        self.map_err(Into::into)
    }
}

/// A function that authorizes: `|peer: Peer, wish: Wish| async move { .. }`, or an `async fn` of these.
///
/// Implemented for all such functions, and not by hand.
///
/// ```
/// # use std::io;
/// # async fn members(_room: &str) -> io::Result<Vec<String>> { Ok(Vec::new()) }
/// use crossws_app::rooms::{Wish, rooms};
/// use crossws_core::{Peer, hooks};
///
/// let app = rooms(hooks()).authorize("room/*", |peer: Peer, wish: Wish| async move {
///     let members = members(&wish.topic).await?;
///     Ok::<_, io::Error>(peer.identity().is_some_and(|user| members.iter().any(|name| **name == *user)))
/// });
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot authorize subscriptions",
    label = "expected `|peer: Peer, wish: Wish| async move {{ .. }}`, which returns `bool` or `Result<bool, E>`"
)]
pub trait Authorize: MaybeSend + MaybeSync + 'static {
    /// Returns whether the wish is granted.
    fn authorize(&self, peer: Peer, wish: Wish) -> BoxFuture<'static, Result<bool, BoxError>>;
}

impl<F, Fut> Authorize for F
where
    F: Fn(Peer, Wish) -> Fut + MaybeSend + MaybeSync + 'static,
    Fut: Future<Output: Verdict> + MaybeSend + 'static,
{
    fn authorize(&self, peer: Peer, wish: Wish) -> BoxFuture<'static, Result<bool, BoxError>> {
        let future = self(peer, wish);
        Box::pin(async { future.await.decide() })
    }
}

/// What one entry says of its topics.
pub(super) enum Grant {
    /// To every client.
    Every(Allow),
    /// Whatever this function returns.
    Asked(Box<dyn Authorize>),
}
