use std::any::Any;
use std::sync::Arc;

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};
use crate::hook_table;
use crate::hooks::Hooks;
use crate::message::Message;
use crate::opaque_debug;
use crate::peer::Peer;

/// The methods of [`DynHooks`]: their declarations, their bodies for all hooks, and the hooks that call
/// them on an expression.
macro_rules! boxed_hooks {
    ({declare} $(
        $kind:ident $name:ident $name_dyn:ident $setter:ident
            ($(&$lent:ident: $lent_type:ty),+ $(; $own:ident: $own_type:ty)?)
            as ($($given:ident: $given_type:ty),+) -> $output:ty;
    )*) => {$(
        #[doc = concat!("[`Hooks::", stringify!($name), "`], boxed.")]
        fn $name_dyn<'a>(
            &'a self,
            $($lent: &'a $lent_type,)+
            $($own: $own_type)?
        ) -> BoxFuture<'a, $output>;
    )*};
    ({implement} $(
        $kind:ident $name:ident $name_dyn:ident $setter:ident
            ($(&$lent:ident: $lent_type:ty),+ $(; $own:ident: $own_type:ty)?)
            as ($($given:ident: $given_type:ty),+) -> $output:ty;
    )*) => {$(
        fn $name_dyn<'a>(
            &'a self,
            $($lent: &'a $lent_type,)+
            $($own: $own_type)?
        ) -> BoxFuture<'a, $output> {
            Box::pin(self.$name($($lent,)+ $($own)?))
        }
    )*};
    ({call $self:ident => $target:expr} $(
        $kind:ident $name:ident $name_dyn:ident $setter:ident
            ($(&$lent:ident: $lent_type:ty),+ $(; $own:ident: $own_type:ty)?)
            as ($($given:ident: $given_type:ty),+) -> $output:ty;
    )*) => {$(
        async fn $name(&$self, $($lent: &$lent_type,)+ $($own: $own_type)?) -> $output {
            $target.$name_dyn($($lent,)+ $($own)?).await
        }
    )*};
}

/// Hooks with an erased type: `Arc<dyn DynHooks>` is itself [`Hooks`]. For a type with a name see
/// [`SharedHooks`].
///
/// For routers and plugin tables that hold several kinds. Every call boxes its future, a cost that
/// only users of this trait pay. The trait is implemented for all hooks, and cannot be implemented
/// by hand.
pub trait DynHooks: MaybeSend + MaybeSync + 'static {
    hook_table!(boxed_hooks, Peer, Message, declare);
}

/// Shared hooks with an erased type, as a named type. A router holds them, and wrappers around
/// hooks are best built on them: inside generic futures the compiler can prove less about `dyn
/// DynHooks` than about this type.
///
/// ```
/// # use crossws_core::*;
/// let chosen = match std::env::var_os("QUIET") {
///     Some(_) => SharedHooks::new(hooks()),
///     None => SharedHooks::new(hooks().on_open(|peer| async move { peer.send("welcome") })),
/// };
/// ```
#[derive(Clone)]
pub struct SharedHooks(Arc<dyn DynHooks>);

impl SharedHooks {
    /// Erases the type of these hooks.
    pub fn new(hooks: impl Hooks) -> Self {
        Self(Arc::new(hooks))
    }

    /// Erases the type of hooks. Erased hooks stay as they are: each further layer would box every
    /// call's future again.
    pub(crate) fn erase<H: Hooks + ?Sized>(hooks: Arc<H>) -> Arc<dyn DynHooks> {
        let any = &hooks as &dyn Any;
        if let Some(shared) = any.downcast_ref::<Arc<Self>>() {
            return Arc::clone(&shared.0);
        }
        if let Some(erased) = any.downcast_ref::<Arc<dyn DynHooks>>() {
            return Arc::clone(erased);
        }
        Arc::new(hooks)
    }
}

impl From<Arc<dyn DynHooks>> for SharedHooks {
    fn from(hooks: Arc<dyn DynHooks>) -> Self {
        Self(hooks)
    }
}

opaque_debug!(SharedHooks);

impl Hooks for SharedHooks {
    // Not `self.0`: an `Arc` of them is hooks too, and would box each future once more.
    hook_table!(boxed_hooks, Peer, Message, call self => (*self.0));
}

impl<H: Hooks> DynHooks for H {
    hook_table!(boxed_hooks, Peer, Message, implement);
}

impl Hooks for dyn DynHooks {
    hook_table!(boxed_hooks, Peer, Message, call self => self);
}
