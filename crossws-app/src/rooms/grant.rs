//! Who may subscribe and publish to what.

use std::sync::Arc;

use crossws_core::{BoxError, BoxFuture, MaybeSend, MaybeSync, Peer};

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wish {
    /// What it wants to do.
    pub action: Action,
    /// The topic, of the peer's namespace.
    pub topic: Arc<str>,
}

impl Wish {
    /// This action on this topic.
    pub fn new(action: Action, topic: impl Into<Arc<str>>) -> Self {
        let topic = topic.into();
        Self { action, topic }
    }
}

/// What a client wants to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Hear what is published there.
    Subscribe,
    /// Publish there.
    Publish,
}

/// What every client may do with the topics of a pattern: see [`Rooms::allow`](super::Rooms::allow).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Allow {
    /// Subscribe, and not publish.
    Subscribe,
    /// Publish, and not subscribe.
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

/// What a function that authorizes returns: `bool`, or a `Result` of one. An error is logged, and the
/// wish is not granted.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether a wish is granted",
    label = "expected `bool` or `Result<bool, E>`"
)]
pub trait Verdict {
    /// Returns whether the wish is granted.
    ///
    /// # Errors
    /// When that could not be found out.
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
