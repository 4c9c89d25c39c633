use crate::bounds::{MaybeSend, MaybeSync};
use crate::hook_table;
use crate::hooks::{Hooks, forward_hooks};
use crate::message::Message;
use crate::peer::Peer;

/// The methods of [`Wrap`], which by default call the inner hooks.
macro_rules! wrapped_hooks {
    ({} $(
        $kind:ident $name:ident $name_dyn:ident $setter:ident
            ($(&$lent:ident: $lent_type:ty),+ $(; $own:ident: $own_type:ty)?)
            as ($($given:ident: $given_type:ty),+) -> $output:ty;
    )*) => {$(
        #[doc = concat!("As [`Hooks::", stringify!($name), "`].")]
        fn $name(
            &self,
            $($lent: &$lent_type,)+
            $($own: $own_type)?
        ) -> impl Future<Output = $output> + MaybeSend {
            self.inner().$name($($lent,)+ $($own)?)
        }
    )*};
}

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

    hook_table!(wrapped_hooks, Peer, Message,);
}

/// Turns a wrapper into hooks: see [`Wrap`].
pub fn wrap<W: Wrap>(wrapper: W) -> Wrapped<W> {
    Wrapped(wrapper)
}

/// The hooks of a wrapper, created by [`wrap`]: see [`Wrap`].
#[derive(Debug, Clone)]
#[must_use = "hooks do nothing until a server runs them"]
pub struct Wrapped<W>(W);

impl<W: Wrap> Hooks for Wrapped<W> {
    forward_hooks!(self => self.0);
}
