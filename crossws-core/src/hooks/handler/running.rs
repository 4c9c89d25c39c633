use std::sync::Arc;

use crate::bounds::{BoxError, Callback, MaybeSend, MaybeSync};
use crate::error::Unsupported;
use crate::hooks::handler::end::HandlerEnd;
use crate::hooks::handler::incoming::{Channel, Incoming, Over};
use crate::hooks::output::HookResult;
use crate::hub::Hub;
use crate::message::close::Closed;
use crate::peer::Peer;
use crate::transport::capabilities::Capabilities;

/// A function that owns its connections: what a [`Handler`](crate::Handler) runs, for other handles
/// of peers and other messages too. Each method belongs into the hook of its name.
pub struct Loop<P, M>(Callback<(P, Incoming<M>), Result<HandlerEnd, BoxError>>);

const UNSUPPORTED: Unsupported = Unsupported("a handler that owns the connection");

impl<P: 'static, M: MaybeSend + 'static> Loop<P, M> {
    /// Creates the loop of a function: see [`handler`](crate::handler).
    pub fn new<F, Fut, T>(run: F) -> Self
    where
        F: Fn(P, Incoming<M>) -> Fut + MaybeSend + MaybeSync + 'static,
        Fut: Future<Output = Result<T, BoxError>> + MaybeSend + 'static,
        T: Into<HandlerEnd> + 'static,
    {
        Self(Box::new(move |(peer, incoming)| {
            let future = run(peer, incoming);
            Box::pin(async { future.await.map(Into::into) })
        }))
    }

    /// Fails on a hub without [`Capabilities::HANDLER`].
    ///
    /// # Errors
    /// [`Unsupported`].
    pub fn start(&self, hub: &Hub) -> HookResult {
        match hub.supports(Capabilities::HANDLER) {
            true => Ok(()),
            false => Err(UNSUPPORTED.into()),
        }
    }

    /// Starts the function for a peer, with its handle of it.
    ///
    /// # Errors
    /// [`Unsupported`] by the peer's transport: a hub may hold peers of several.
    pub fn open(&self, peer: &Peer, handle: P) -> HookResult {
        if !peer.capabilities().contains(Capabilities::HANDLER) {
            return Err(UNSUPPORTED.into());
        }
        let channel = Arc::new(Channel::default());
        peer.extensions().insert(Shared(Arc::clone(&channel)));
        let over = Over(Arc::clone(&channel));
        let run = (self.0)((handle, Incoming::new(channel, peer.clone())));
        let owner = peer.clone();
        peer.spawn(async move {
            let end = run.await?;
            end.apply(&owner, &over).await
        });
        Ok(())
    }

    /// Gives the function a message, and waits until it has taken it.
    ///
    /// # Errors
    /// None.
    pub async fn message(&self, peer: &Peer, message: M) -> HookResult {
        if let Some(channel) = channel::<M>(peer) {
            channel.give(message).await;
        }
        Ok(())
    }

    /// Tells the function how the connection has ended, and waits until it has returned.
    ///
    /// # Errors
    /// None.
    pub async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        if let Some(channel) = channel::<M>(peer) {
            channel.end(closed);
            channel.over().await;
        }
        Ok(())
    }
}

/// Returns the connection's channel, which `open` created.
fn channel<M: MaybeSend + 'static>(peer: &Peer) -> Option<Arc<Channel<M>>> {
    let shared = peer.extensions().get::<Shared<M>>()?;
    Some(Arc::clone(&shared.0))
}

/// The value that `open` stores in the peer's extensions. A private type, so that it never collides
/// with a user's value.
struct Shared<M>(Arc<Channel<M>>);
