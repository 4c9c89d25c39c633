pub(crate) mod catch;
pub(crate) mod closures;
pub(crate) mod dyn_hooks;
pub(crate) mod handler;
pub(crate) mod notice;
pub(crate) mod wrap;
pub(crate) mod yielding;

use std::sync::Arc;

use bytes::Bytes;

use crate::bounds::{BoxError, MaybeSend, MaybeSync};
use crate::error::Error;
use crate::hooks::notice::{Dropped, Subscription};
use crate::hub::Hub;
use crate::message::Message;
use crate::message::close::{CloseCode, CloseFrame, Closed};
use crate::peer::Peer;
use crate::upgrade::Upgrade;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;

/// What a hook returns: nothing, or any error.
pub type HookResult = Result<(), BoxError>;

/// `Ok(())` as hooks return it: the last line of a closure that uses `?`, where nothing else says
/// what its errors become.
///
/// ```
/// let app = crossws_core::hooks().on_open(|peer| async move {
///     peer.subscribe("news")?;
///     peer.send("welcome")?;
///     crossws_core::ok()
/// });
/// # let _: &dyn crossws_core::DynHooks = &app;
/// ```
#[allow(clippy::missing_errors_doc, clippy::unnecessary_wraps)] // there are none
pub fn ok() -> HookResult {
    Ok(())
}

/// What happens to a peer after its `error` hook.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// Close it with this frame.
    Close(CloseFrame),
    /// Go on. After a panic or a protocol error the peer is closed all the same.
    Keep,
}

impl Default for OnError {
    /// Close with 1011.
    fn default() -> Self {
        Self::Close(CloseFrame::new(CloseCode::ERROR, "internal error"))
    }
}

/// The application: every event of a connection's life. All methods have a default body, and are
/// written as plain `async fn`.
///
/// Order, for one peer: `upgrade`, then `open`, then any of `message`, `drain`, `ping`, `pong`
/// one at a time in order of arrival, then `close`, exactly once. Nothing follows `close`, except
/// `error` when `close` itself failed. `subscription`, `dropped` and `timer` come between these, one
/// at a time too, after the hook during which they arose.
/// Different peers' hooks run concurrently.
///
/// A hook that returns `Err` or panics is reported to `error`.
///
/// Hooks around other hooks are best written as a [`Wrap`](crate::Wrap), which forwards all that it
/// does not know.
///
/// # Cancel safety
/// A hook runs to its end although its client may be gone ([`Peer::closed`] tells); it is
/// dropped at an await only when a shutdown's deadline has passed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Hooks`",
    label = "a type with `impl Hooks`, `hooks()` or `handler(..)` is expected",
    note = "hooks must be `Send`, `Sync` and `'static`"
)]
pub trait Hooks: MaybeSend + MaybeSync + 'static {
    /// The application starts: before the first upgrade of a server, and whenever an object wakes or
    /// is made. The place to subscribe to a backplane or to start a timer. In a plain Worker, which
    /// has no beginning, it is not called.
    ///
    /// An error keeps a server from serving: its `run` returns it. In an object it is logged, and
    /// upgrades are refused with 503.
    fn start(&self, hub: &Hub) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = hub;
        async { Ok(()) }
    }

    /// Before the handshake is answered: accept, or refuse with any HTTP response. Bounded by
    /// `Limits::upgrade_timeout`. Accepts by default.
    fn upgrade(
        &self,
        request: &UpgradeRequest,
    ) -> impl Future<Output = Result<Upgrade, Rejection>> + MaybeSend {
        let _ = request;
        async { Ok(Upgrade::new()) }
    }

    /// The connection is open.
    fn open(&self, peer: &Peer) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = peer;
        async { Ok(()) }
    }

    /// A message arrived.
    fn message(
        &self,
        peer: &Peer,
        message: Message,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, message);
        async { Ok(()) }
    }

    /// Everything queued for the peer has been written, after more than
    /// [`DRAIN_MARK`](crate::DRAIN_MARK) bytes had piled up.
    fn drain(&self, peer: &Peer) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = peer;
        async { Ok(()) }
    }

    /// The client pinged. It has been answered already, unless the limit `auto_pong` is off.
    fn ping(&self, peer: &Peer, data: Bytes) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, data);
        async { Ok(()) }
    }

    /// The client sent a pong, to a ping or unasked.
    fn pong(&self, peer: &Peer, data: Bytes) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, data);
        async { Ok(()) }
    }

    /// The peer has subscribed to a topic, or is no longer subscribed: see [`Subscription`]. Of the
    /// topics that a peer leaves because its connection ends, it is told before `close`. What a
    /// sleeping object's peers were subscribed to is not told again.
    fn subscription(
        &self,
        peer: &Peer,
        subscription: Subscription,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, subscription);
        async { Ok(()) }
    }

    /// Messages for the peer were discarded by a policy, after they were accepted or instead: see
    /// [`Dropped`]. What is discarded while this waits for its turn is added up.
    fn dropped(
        &self,
        peer: &Peer,
        dropped: Dropped,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, dropped);
        async { Ok(()) }
    }

    /// The peer's timer of this name is due: see [`Peer::set_timer`].
    fn timer(&self, peer: &Peer, name: &str) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, name);
        async { Ok(()) }
    }

    /// The connection ended. The peer has left every list and topic; it can still publish.
    fn close(&self, peer: &Peer, closed: Closed) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, closed);
        async { Ok(()) }
    }

    /// A hook failed, or the client broke the protocol: close or keep the peer. By default the
    /// error is logged ([`Error::log`]) and the peer closed with 1011.
    ///
    /// Not called when a hook failed only because its peer had left before it could send.
    fn error(&self, peer: &Peer, error: Error) -> impl Future<Output = OnError> + MaybeSend {
        error.log(peer);
        async { OnError::default() }
    }
}

/// Implements [`Hooks`] by forwarding every method. One list for every wrapper: a method
/// forgotten in one of them would compile and silently drop that hook.
///
/// For wrappers with methods of their own around a [`Wrap`](crate::Wrap); others are made with
/// [`wrap`](crate::wrap).
///
/// ```
/// # use crossws_core::{Hooks, Wrap};
/// struct Logged<H>(Inner<H>);
/// # struct Inner<H> { hooks: H }
///
/// impl<H: Hooks> Wrap for Inner<H> {
///     // …
/// #     type Inner = H;
/// #     fn inner(&self) -> &H { &self.hooks }
/// }
///
/// impl<H: Hooks> Hooks for Logged<H> {
///     crossws_core::forward_hooks!(self => self.0);
/// }
/// ```
#[macro_export]
macro_rules! forward_hooks {
    ($self:ident => $target:expr) => {
        async fn start(&$self, hub: &$crate::Hub) -> $crate::HookResult {
            $target.start(hub).await
        }
        async fn subscription(&$self, peer: &$crate::Peer, subscription: $crate::Subscription) -> $crate::HookResult {
            $target.subscription(peer, subscription).await
        }
        async fn dropped(&$self, peer: &$crate::Peer, dropped: $crate::Dropped) -> $crate::HookResult {
            $target.dropped(peer, dropped).await
        }
        async fn timer(&$self, peer: &$crate::Peer, name: &str) -> $crate::HookResult {
            $target.timer(peer, name).await
        }
        async fn upgrade(&$self, request: &$crate::UpgradeRequest) -> Result<$crate::Upgrade, $crate::Rejection> {
            $target.upgrade(request).await
        }
        async fn open(&$self, peer: &$crate::Peer) -> $crate::HookResult {
            $target.open(peer).await
        }
        async fn message(&$self, peer: &$crate::Peer, message: $crate::Message) -> $crate::HookResult {
            $target.message(peer, message).await
        }
        async fn drain(&$self, peer: &$crate::Peer) -> $crate::HookResult {
            $target.drain(peer).await
        }
        async fn ping(&$self, peer: &$crate::Peer, data: $crate::Bytes) -> $crate::HookResult {
            $target.ping(peer, data).await
        }
        async fn pong(&$self, peer: &$crate::Peer, data: $crate::Bytes) -> $crate::HookResult {
            $target.pong(peer, data).await
        }
        async fn close(&$self, peer: &$crate::Peer, closed: $crate::Closed) -> $crate::HookResult {
            $target.close(peer, closed).await
        }
        async fn error(&$self, peer: &$crate::Peer, error: $crate::Error) -> $crate::OnError {
            $target.error(peer, error).await
        }
    };
}
pub(crate) use forward_hooks;

impl<H: Hooks + ?Sized> Hooks for Arc<H> {
    forward_hooks!(self => (**self));
}

impl<H: Hooks + ?Sized> Hooks for Box<H> {
    forward_hooks!(self => (**self));
}
