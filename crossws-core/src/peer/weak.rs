use std::sync::Weak;

use crate::peer::{Peer, PeerInner};

/// A handle to a peer that does not keep it alive: what a long-lived collection should hold.
///
/// ```
/// # use crossws_core::*;
/// struct Waiting(Vec<WeakPeer>);
///
/// impl Waiting {
///     fn call_all(&self) {
///         for peer in self.0.iter().filter_map(WeakPeer::upgrade) {
///             let _ = peer.send("your turn");
///         }
///     }
/// }
/// ```
#[derive(Clone, Default)]
pub struct WeakPeer(pub(super) Weak<PeerInner>);

impl WeakPeer {
    /// Returns whether a handle to the peer exists.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// Returns the peer, if a handle to it still exists.
    pub fn upgrade(&self) -> Option<Peer> {
        self.0.upgrade().map(Peer)
    }
}

crate::opaque_debug!(WeakPeer);
