use crossws_core::{
    Error, HookResult, MaybeSend, MaybeSync, OnError, Peer, Rejection, Upgrade, UpgradeRequest,
    hook_table,
};

use crate::messages::peer::TypedPeer;

/// The methods of [`Typed`] that do nothing by default.
macro_rules! default_hooks {
    ({} $($kind:ident $name:ident $name_dyn:ident $setter:ident $arguments:tt as $given:tt -> $output:ty;)*) => {
        $(default_hooks!(@ $name $arguments $output);)*
    };
    (@ message $($row:tt)*) => {};
    (@ upgrade $($row:tt)*) => {};
    (@ error $($row:tt)*) => {};
    (@ $name:ident ($(&$lent:ident: $lent_type:ty),+ $(; $own:ident: $own_type:ty)?) $output:ty) => {
        #[doc = concat!("As [`Hooks::", stringify!($name), "`](crossws_core::Hooks::", stringify!($name), ").")]
        fn $name(
            &self,
            $($lent: &$lent_type,)+
            $($own: $own_type)?
        ) -> impl Future<Output = $output> + MaybeSend {
            let _ = ($($lent,)+ $($own)?);
            async { Ok(()) }
        }
    };
}

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

    /// As [`Hooks::upgrade`](crossws_core::Hooks::upgrade).
    fn upgrade(
        &self,
        request: &UpgradeRequest,
    ) -> impl Future<Output = Result<Upgrade, Rejection>> + MaybeSend {
        let _ = request;
        async { Ok(Upgrade::new()) }
    }

    /// Runs for each decoded message.
    fn message(
        &self,
        peer: &TypedPeer<Self::Out>,
        message: Self::In,
    ) -> impl Future<Output = HookResult> + MaybeSend;

    hook_table!(default_hooks, TypedPeer<Self::Out>, Self::In,);

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
