//! What an upgrade says so far, for hooks around the hooks that set it.

use std::sync::Arc;

use http::header::HeaderMap;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::peer::context::{ContextError, PeerContext};
use crate::peer::deadlines::expiry::Expiry;
use crate::peer::id::PeerId;
use crate::upgrade::Upgrade;

impl Upgrade {
    /// Returns the headers that were added to the 101.
    pub fn get_headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the chosen subprotocol; `None` for no subprotocol, or if the route chooses.
    pub fn get_protocol(&self) -> Option<&str> {
        self.protocol.as_ref()?.as_deref()
    }

    /// Returns the chosen namespace; `None` for the request's path.
    pub fn get_namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Returns the peer's context.
    ///
    /// # Errors
    /// As [`Peer::context`](crate::Peer::context).
    pub fn get_context<T: PeerContext>(&self) -> Result<Arc<T>, ContextError> {
        self.context.get()
    }

    /// Returns the volatile value of this type.
    pub fn get_extension<T: MaybeSend + MaybeSync + 'static>(&self) -> Option<Arc<T>> {
        self.extensions.get()
    }

    /// Returns the chosen id; `None` for a random one.
    pub fn get_id(&self) -> Option<PeerId> {
        self.id
    }

    /// Returns the topics in addition to the route's.
    pub fn get_topics(&self) -> &[Arc<str>] {
        &self.topics
    }

    /// Returns the identity that was set here; `None` for the one that a layer
    /// [set](crate::UpgradeRequest::set_identity), if any.
    pub fn get_identity(&self) -> Option<&Arc<str>> {
        self.identity.as_ref()
    }

    /// Returns the tags.
    pub fn get_tags(&self) -> &[Arc<str>] {
        &self.tags
    }

    /// Returns when the credentials end.
    pub fn get_expiry(&self) -> Expiry {
        self.expiry
    }
}
