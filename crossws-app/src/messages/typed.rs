use crossws_core::{
    Bytes, Closed, Dropped, Error, HookResult, Hub, MaybeSend, MaybeSync, OnError, Peer, Rejection,
    Subscription, Upgrade, UpgradeRequest,
};

use crate::messages::peer::TypedPeer;

/// The application as hooks over its own message types. A message that does not parse as
/// [`In`](Self::In) never reaches [`message`](Self::message), and the peer sends and publishes only
/// [`Out`](Self::Out). [`typed`](crate::typed) turns it into [`Hooks`](crossws_core::Hooks).
///
/// Each hook runs when the hook of the same name in [`Hooks`](crossws_core::Hooks) does.
///
/// ```
/// use crossws_app::{Router, Typed, TypedPeer, typed};
/// use crossws_core::HookResult;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// #[serde(tag = "type", rename_all = "kebab-case")]
/// enum FromPlayer {
///     Join { game: String },
///     Move { game: String, to: (u8, u8) },
/// }
///
/// #[derive(Serialize)]
/// #[serde(tag = "type", rename_all = "kebab-case")]
/// enum ToPlayer {
///     Joined { player: String },
///     Moved { to: (u8, u8) },
/// }
///
/// struct Game;
///
/// impl Typed for Game {
///     type In = FromPlayer;
///     type Out = ToPlayer;
///
///     async fn message(&self, peer: &TypedPeer<ToPlayer>, message: FromPlayer) -> HookResult {
///         match message {
///             FromPlayer::Join { game } => {
///                 peer.subscribe(&game)?;
///                 let player = peer.id().to_string();
///                 peer.publish(&game, ToPlayer::Joined { player })?;
///             }
///             FromPlayer::Move { game, to } => {
///                 peer.to(&game).including_self().send(ToPlayer::Moved { to })?;
///             }
///         }
///         Ok(())
///     }
/// }
///
/// let app = Router::new().route("/game", typed(Game));
/// # app.check().unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Typed`",
    label = "a type with `impl Typed`, or `messages()` with closures, is expected"
)]
pub trait Typed: MaybeSend + MaybeSync + 'static {
    /// The type of messages from clients.
    type In: MaybeSend + 'static;

    /// The type of messages to clients.
    type Out: 'static;

    /// As [`Hooks::start`](crossws_core::Hooks::start).
    fn start(&self, hub: &Hub) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = hub;
        async { Ok(()) }
    }

    /// As [`Hooks::upgrade`](crossws_core::Hooks::upgrade).
    fn upgrade(
        &self,
        request: &UpgradeRequest,
    ) -> impl Future<Output = Result<Upgrade, Rejection>> + MaybeSend {
        let _ = request;
        async { Ok(Upgrade::new()) }
    }

    /// As [`Hooks::open`](crossws_core::Hooks::open).
    fn open(&self, peer: &TypedPeer<Self::Out>) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = peer;
        async { Ok(()) }
    }

    /// Runs for each decoded message.
    fn message(
        &self,
        peer: &TypedPeer<Self::Out>,
        message: Self::In,
    ) -> impl Future<Output = HookResult> + MaybeSend;

    /// As [`Hooks::drain`](crossws_core::Hooks::drain).
    fn drain(&self, peer: &TypedPeer<Self::Out>) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = peer;
        async { Ok(()) }
    }

    /// As [`Hooks::ping`](crossws_core::Hooks::ping).
    fn ping(
        &self,
        peer: &TypedPeer<Self::Out>,
        data: Bytes,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, data);
        async { Ok(()) }
    }

    /// As [`Hooks::pong`](crossws_core::Hooks::pong).
    fn pong(
        &self,
        peer: &TypedPeer<Self::Out>,
        data: Bytes,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, data);
        async { Ok(()) }
    }

    /// As [`Hooks::subscription`](crossws_core::Hooks::subscription).
    fn subscription(
        &self,
        peer: &TypedPeer<Self::Out>,
        subscription: Subscription,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, subscription);
        async { Ok(()) }
    }

    /// As [`Hooks::dropped`](crossws_core::Hooks::dropped).
    fn dropped(
        &self,
        peer: &TypedPeer<Self::Out>,
        dropped: Dropped,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, dropped);
        async { Ok(()) }
    }

    /// As [`Hooks::timer`](crossws_core::Hooks::timer).
    fn timer(
        &self,
        peer: &TypedPeer<Self::Out>,
        name: &str,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, name);
        async { Ok(()) }
    }

    /// As [`Hooks::close`](crossws_core::Hooks::close).
    fn close(
        &self,
        peer: &TypedPeer<Self::Out>,
        closed: Closed,
    ) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = (peer, closed);
        async { Ok(()) }
    }

    /// As [`Hooks::error`](crossws_core::Hooks::error). With
    /// [`OnMalformed::Fail`](crate::OnMalformed::Fail) it also gets [`Malformed`](crate::Malformed)
    /// messages.
    fn error(
        &self,
        peer: &TypedPeer<Self::Out>,
        error: Error,
    ) -> impl Future<Output = OnError> + MaybeSend {
        let peer: &Peer = peer.untyped();
        error.log(peer);
        async { OnError::default() }
    }
}
