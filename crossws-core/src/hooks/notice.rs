use std::sync::Arc;

use crate::error::Error;
use crate::hub::settings::limits::Overflow;
use crate::pubsub::topic_kind::TopicKind;

/// A change of a peer's subscriptions, the argument of the
/// [`subscription`](crate::Hooks::subscription) hook.
///
/// ```
/// # use crossws_core::*;
/// struct Rooms;
///
/// impl Hooks for Rooms {
///     async fn subscription(&self, peer: &Peer, event: Subscription) -> HookResult {
///         let Subscription { topic, joined, subscribers, .. } = event;
///         let what = if joined { "joined" } else { "left" };
///         peer.publish(&topic, format!("one {what}, {subscribers} are here"))?;
///         Ok(())
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription {
    /// The topic, in the peer's namespace; or the pattern.
    pub topic: Arc<str>,
    /// Whether it is a [pattern](crate::Peer::subscribe_pattern).
    pub is_pattern: bool,
    /// Whether the peer has subscribed; otherwise it is no longer subscribed.
    pub joined: bool,
    /// How many peers of the namespace are subscribed to this topic, or to this pattern, when the hook
    /// begins.
    pub subscribers: usize,
}

/// Discarded messages, the argument of the [`dropped`](crate::Hooks::dropped) hook.
///
/// ```
/// # use crossws_core::*;
/// struct Prices;
///
/// impl Hooks for Prices {
///     async fn dropped(&self, peer: &Peer, dropped: Dropped) -> HookResult {
///         println!("{peer} has missed {} prices: {:?}", dropped.messages, dropped.cause);
///         Ok(())
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// How many messages were discarded.
    pub messages: u64,
    /// The policy that discarded them.
    pub cause: DropCause,
}

impl Dropped {
    /// Creates the notice of this many discarded messages.
    pub const fn new(messages: u64, cause: DropCause) -> Self {
        Self { messages, cause }
    }
}

/// Why messages were discarded.
///
/// ```
/// # use crossws_core::*;
/// fn is_slow(dropped: Dropped) -> bool {
///     matches!(dropped.cause, DropCause::Overflow(_))
/// }
/// # assert!(is_slow(Dropped::new(1, DropCause::Overflow(Overflow::DropOldest))));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropCause {
    /// The peer's queue has reached a bound, and this is its policy.
    Overflow(Overflow),
    /// The messages were [volatile](crate::SendOptions::volatile), and would have had to wait.
    Volatile,
}

/// Work for a session while no hook runs: a hook that is due, or a failure that must be reported.
/// [`Session::poll_notice`](crate::adapter::Session::poll_notice) yields it,
/// [`Session::notice`](crate::adapter::Session::notice) runs it.
#[derive(Debug)]
pub struct Notice(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    Failed(Error),
    Subscription {
        topic: Arc<str>,
        kind: TopicKind,
        joined: bool,
    },
    Dropped(Dropped),
    Timer(Arc<str>),
}

impl Notice {
    /// Returns the failure of a future that the peer spawned, if this is one.
    pub fn failure(&self) -> Option<&Error> {
        match &self.0 {
            Kind::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Merges this into the last notice, if both are of a kind that adds up. Otherwise returns it.
    pub(crate) fn merge(self, last: Option<&mut Self>) -> Option<Self> {
        match (&self.0, last.map(|last| &mut last.0)) {
            (Kind::Dropped(new), Some(Kind::Dropped(known))) if new.cause == known.cause => {
                known.messages = known.messages.saturating_add(new.messages);
                None
            }
            _ => Some(self),
        }
    }
}
