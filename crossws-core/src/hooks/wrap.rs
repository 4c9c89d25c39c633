use bytes::Bytes;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::Error;
use crate::hooks::forward_hooks;
use crate::hooks::notice::{Dropped, Subscription};
use crate::hooks::{HookResult, Hooks, OnError};
use crate::hub::Hub;
use crate::message::Message;
use crate::message::close::Closed;
use crate::peer::Peer;
use crate::upgrade::Upgrade;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;

/// Hooks around other hooks: every method forwards to [`inner`](Self::inner) unless it is written.
/// [`wrap`] turns it into [`Hooks`].
///
/// A wrapper that implements [`Hooks`] itself has to forward every method by hand. It silently
/// drops a hook that it forgets, or that a later version of this crate adds.
///
/// ```
/// # use crossws_core::{HookResult, Hooks, Message, Peer, Wrap, hooks, wrap};
/// struct Counted<H> {
///     hooks: H,
/// }
///
/// impl<H: Hooks> Wrap for Counted<H> {
///     type Inner = H;
///
///     fn inner(&self) -> &H {
///         &self.hooks
///     }
///
///     async fn message(&self, peer: &Peer, message: Message) -> HookResult {
///         println!("{peer}: {} bytes", message.len());
///         self.hooks.message(peer, message).await
///     }
/// }
///
/// let app = wrap(Counted { hooks: hooks() });
/// # fn takes(_: impl Hooks) {} takes(app);
/// ```
pub trait Wrap: MaybeSend + MaybeSync + 'static {
    /// The type of the inner hooks.
    type Inner: Hooks + ?Sized;

    /// Returns the inner hooks.
    fn inner(&self) -> &Self::Inner;

    /// As [`Hooks::start`].
    fn start(&self, hub: &Hub) -> impl Future<Output = HookResult> + MaybeSend {
        self.inner().start(hub)
    }

    /// As [`Hooks::upgrade`].
    fn upgrade(
        &self,
        request: &UpgradeRequest,
    ) -> impl Future<Output = Result<Upgrade, Rejection>> + MaybeSend {
        self.inner().upgrade(request)
    }

    /// As [`Hooks::open`].
    fn open(&self, peer: &Peer) -> impl Future<Output = HookResult> + MaybeSend {
        self.inner().open(peer)
    }

    /// As [`Hooks::message`].
    fn message(
        &self,
        peer: &Peer,
        message: Message,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        self.inner().message(peer, message)
    }

    /// As [`Hooks::drain`].
    fn drain(&self, peer: &Peer) -> impl Future<Output = HookResult> + MaybeSend {
        self.inner().drain(peer)
    }

    /// As [`Hooks::ping`].
    fn ping(&self, peer: &Peer, data: Bytes) -> impl Future<Output = HookResult> + MaybeSend {
        self.inner().ping(peer, data)
    }

    /// As [`Hooks::pong`].
    fn pong(&self, peer: &Peer, data: Bytes) -> impl Future<Output = HookResult> + MaybeSend {
        self.inner().pong(peer, data)
    }

    /// As [`Hooks::subscription`].
    fn subscription(
        &self,
        peer: &Peer,
        subscription: Subscription,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        self.inner().subscription(peer, subscription)
    }

    /// As [`Hooks::dropped`].
    fn dropped(
        &self,
        peer: &Peer,
        dropped: Dropped,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        self.inner().dropped(peer, dropped)
    }

    /// As [`Hooks::timer`].
    fn timer(&self, peer: &Peer, name: &str) -> impl Future<Output = HookResult> + MaybeSend {
        self.inner().timer(peer, name)
    }

    /// As [`Hooks::close`].
    fn close(&self, peer: &Peer, closed: Closed) -> impl Future<Output = HookResult> + MaybeSend {
        self.inner().close(peer, closed)
    }

    /// As [`Hooks::error`].
    fn error(&self, peer: &Peer, error: Error) -> impl Future<Output = OnError> + MaybeSend {
        self.inner().error(peer, error)
    }
}

/// Turns a [`Wrap`] into hooks.
pub fn wrap<W: Wrap>(wrapper: W) -> Wrapped<W> {
    Wrapped(wrapper)
}

/// See [`wrap`].
#[derive(Debug, Clone)]
#[must_use = "hooks do nothing until a server runs them"]
pub struct Wrapped<W>(W);

impl<W: Wrap> Hooks for Wrapped<W> {
    forward_hooks!(self => self.0);
}
