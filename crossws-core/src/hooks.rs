pub(crate) mod catch;
pub(crate) mod closures;
pub(crate) mod dyn_hooks;
pub(crate) mod handler;
pub(crate) mod notice;
pub(crate) mod output;
pub(crate) mod setters;
mod table;
pub(crate) mod wrap;
pub(crate) mod yielding;

use std::sync::Arc;

use bytes::Bytes;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::error::Error;
use crate::hooks::notice::{Dropped, Subscription};
use crate::hooks::output::HookResult;
use crate::hub::Hub;
use crate::message::Message;
use crate::message::close::{CloseFrame, Closed};
use crate::peer::Peer;
use crate::upgrade::Upgrade;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;

/// What happens to a peer after its `error` hook.
///
/// ```
/// # use crossws_core::*;
/// struct Chat;
///
/// impl Hooks for Chat {
///     async fn error(&self, peer: &Peer, error: Error) -> OnError {
///         error.log(peer);
///         match error.downcast_ref::<DecodeError>() {
///             Some(_) => OnError::Keep,
///             None => OnError::default(), // closes with 1011
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnError {
    /// Close it with this frame.
    Close(CloseFrame),
    /// Keep the connection open. After a panic or a protocol error the peer is closed nevertheless.
    Keep,
}

impl Default for OnError {
    /// Returns `Close` with 1011.
    fn default() -> Self {
        Self::Close(CloseFrame::internal_error())
    }
}

/// The application: one method for each event in a connection's life. All methods have a default
/// body, and are written as plain `async fn`.
///
/// ```
/// # use crossws_core::*;
/// struct Chat;
///
/// impl Hooks for Chat {
///     async fn open(&self, peer: &Peer) -> HookResult {
///         peer.subscribe("chat")?;
///         peer.send("welcome")?;
///         Ok(())
///     }
///
///     async fn message(&self, peer: &Peer, message: Message) -> HookResult {
///         peer.publish("chat", message)?; // to the other subscribers
///         Ok(())
///     }
///
///     async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
///         peer.publish("chat", format!("{peer} has left with code {}", closed.code))?;
///         Ok(())
///     }
/// }
/// ```
///
/// Order, for one peer: `upgrade`, then `open`, then any of `message`, `drain`, `ping`, `pong` one
/// at a time in order of arrival, then `close`, exactly once. No hook follows `close`, except
/// `error` if `close` itself failed. `subscription`, `dropped` and `timer` run between these, one
/// at a time too, after the hook during which their event occurred. Different peers' hooks run
/// concurrently.
///
/// A hook that returns `Err` or panics is reported to `error`.
///
/// Hooks around other hooks are best written as a [`Wrap`](crate::Wrap), which forwards every
/// method that is not written.
///
/// # Cancel safety
/// A hook runs to its end although its client may be gone ([`Peer::closed`] tells). It is dropped
/// at an await only if a shutdown's deadline has passed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Hooks`",
    label = "a type with `impl Hooks`, `hooks()` or `handler(..)` is expected",
    note = "hooks must be `Send`, `Sync` and `'static`"
)]
#[expect(unused_variables, reason = "a default has no use for its arguments")]
pub trait Hooks: MaybeSend + MaybeSync + 'static {
    /// Runs when the application starts: before the first upgrade of a server, and whenever an
    /// object wakes or is created. Here an application subscribes to a backplane or starts a timer.
    /// A plain Worker, which has no start, does not call it.
    ///
    /// An error prevents a server from serving: its `run` returns the error. In an object the error
    /// is logged, and upgrades are refused with 503.
    fn start(&self, hub: &Hub) -> impl Future<Output = HookResult> + MaybeSend {
        async { Ok(()) }
    }

    /// Runs before the handshake is answered: accepts, or refuses with any HTTP response. Bounded
    /// by `Limits::upgrade_timeout`. Accepts by default.
    fn upgrade(
        &self,
        request: &UpgradeRequest,
    ) -> impl Future<Output = Result<Upgrade, Rejection>> + MaybeSend {
        async { Ok(Upgrade::new()) }
    }

    /// Runs when the connection is open.
    fn open(&self, peer: &Peer) -> impl Future<Output = HookResult> + MaybeSend {
        async { Ok(()) }
    }

    /// Runs for each message.
    fn message(
        &self,
        peer: &Peer,
        message: Message,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        async { Ok(()) }
    }

    /// Runs when everything queued for the peer has been written, after more than
    /// [`DRAIN_MARK`](crate::DRAIN_MARK) bytes had piled up.
    fn drain(&self, peer: &Peer) -> impl Future<Output = HookResult> + MaybeSend {
        async { Ok(()) }
    }

    /// Runs for each ping of the client. It has been answered already, unless the limit `auto_pong`
    /// is off. While another hook runs, at most [`max_inbound`](field@crate::Limits::max_inbound) pings and
    /// pongs wait: the oldest are discarded.
    fn ping(&self, peer: &Peer, data: Bytes) -> impl Future<Output = HookResult> + MaybeSend {
        async { Ok(()) }
    }

    /// Runs for each pong of the client, to a ping or unsolicited. They wait as [pings](Self::ping) do.
    fn pong(&self, peer: &Peer, data: Bytes) -> impl Future<Output = HookResult> + MaybeSend {
        async { Ok(()) }
    }

    /// Runs when the peer has subscribed to a topic, or is no longer subscribed: see
    /// [`Subscription`]. For topics that a peer leaves because its connection ends, it runs before
    /// `close`. It does not run again for the subscriptions of an object's peers when the object
    /// wakes.
    fn subscription(
        &self,
        peer: &Peer,
        subscription: Subscription,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        async { Ok(()) }
    }

    /// Runs when a policy has discarded messages for the peer, after they were accepted or instead:
    /// see [`Dropped`]. Messages that are discarded before the hook begins are added up. A message that
    /// the hook sends to the same peer may be discarded too, and then the hook runs again.
    fn dropped(
        &self,
        peer: &Peer,
        dropped: Dropped,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        async { Ok(()) }
    }

    /// Runs when the peer's timer of this name is due: see [`Peer::set_timer`].
    fn timer(&self, peer: &Peer, name: &str) -> impl Future<Output = HookResult> + MaybeSend {
        async { Ok(()) }
    }

    /// Runs when the connection has ended. The peer has left every list and topic; it can still
    /// publish.
    fn close(&self, peer: &Peer, closed: Closed) -> impl Future<Output = HookResult> + MaybeSend {
        async { Ok(()) }
    }

    /// Runs when a hook failed, or the client broke the protocol: closes or keeps the peer. By
    /// default the error is logged ([`Error::log`]) and the peer closed with 1011.
    ///
    /// Not called if a hook failed only because its peer had left before it could send.
    fn error(&self, peer: &Peer, error: Error) -> impl Future<Output = OnError> + MaybeSend {
        error.log(peer);
        async { OnError::default() }
    }
}

/// Implements [`Hooks`] by forwarding every method. All wrappers share this list: a method
/// forgotten in one of them would compile and silently drop that hook.
///
/// For wrappers with methods of their own around a [`Wrap`](crate::Wrap); other wrappers are built
/// with [`wrap`](crate::wrap).
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
        $crate::hook_table!($crate::forward_hooks, $crate::Peer, $crate::Message, $self => $target);
    };
    ({$self:ident => $target:expr} $(
        $kind:ident $name:ident $name_dyn:ident $setter:ident
            ($(&$lent:ident: $lent_type:ty),+ $(; $own:ident: $own_type:ty)?)
            as ($($given:ident: $given_type:ty),+) -> $output:ty;
    )*) => {$(
        async fn $name(&$self, $($lent: &$lent_type,)+ $($own: $own_type)?) -> $output {
            $target.$name($($lent,)+ $($own)?).await
        }
    )*};
}
pub(crate) use forward_hooks;

impl<H: Hooks + ?Sized> Hooks for Arc<H> {
    forward_hooks!(self => (**self));
}

impl<H: Hooks + ?Sized> Hooks for Box<H> {
    forward_hooks!(self => (**self));
}
