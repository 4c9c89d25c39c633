//! Closures as hooks: their setters, and what runs them.

use crate::bounds::{BoxFuture, MaybeSend};
use crate::hooks::output::{HookOutput, HookResult};

/// Boxes the future of a closure whose output is a hook's result.
#[doc(hidden)]
pub fn boxed<Fut>(future: Fut) -> BoxFuture<'static, HookResult>
where
    Fut: Future<Output: HookOutput> + MaybeSend + 'static,
{
    Box::pin(async { future.await.into_hook_result() })
}

/// The setters of these hooks, for a type that stores each in a field of its name, as an
/// `Option<Callback<..>>`. The hooks are those of a trait, with handles of peers and messages of
/// these types.
#[doc(hidden)]
#[macro_export]
macro_rules! hook_setters {
    ($trait:ident, $peer:ty, $message:ty: $($hook:ident)+) => {
        $($crate::hook_setters!(@$hook $trait, $peer, $message);)+
    };
    (@upgrade $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(
            @set $trait::upgrade on_upgrade(request: $crate::UpgradeRequest)
                -> Result<$crate::Upgrade, $crate::Rejection>
        );
    };
    (@timer $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(@set $trait::timer on_timer(peer: $peer, name: String));
    };
    (@error $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(
            @set $trait::error on_error(peer: $peer, error: $crate::Error) -> $crate::OnError
        );
    };
    (@run upgrade) => {
        async fn upgrade(
            &self,
            request: &$crate::UpgradeRequest,
        ) -> Result<$crate::Upgrade, $crate::Rejection> {
            match &self.upgrade {
                Some(hook) => hook((request.clone(),)).await,
                None => Ok($crate::Upgrade::new()),
            }
        }
    };
    (@run timer $peer:ty) => {
        async fn timer(&self, peer: &$peer, name: &str) -> $crate::HookResult {
            match &self.timer {
                Some(hook) => hook((peer.clone(), name.to_owned())).await,
                None => Ok(()),
            }
        }
    };
    (@run error $peer:ty, $untyped:expr) => {
        async fn error(&self, peer: &$peer, error: $crate::Error) -> $crate::OnError {
            match &self.error {
                Some(hook) => hook((peer.clone(), error)).await,
                None => {
                    let untyped: fn(&$peer) -> &$crate::Peer = $untyped;
                    error.log(untyped(peer));
                    $crate::OnError::default()
                }
            }
        }
    };
    (@set $trait:ident::$hook:ident $setter:ident($($argument:ident: $type:ty),+)) => {
        #[doc = concat!("Sets [`", stringify!($trait), "::", stringify!($hook), "`].")]
        pub fn $setter<F, Fut>(mut self, hook: F) -> Self
        where
            F: Fn($($type),+) -> Fut + $crate::MaybeSend + $crate::MaybeSync + 'static,
            Fut: Future<Output: $crate::HookOutput> + $crate::MaybeSend + 'static,
        {
            let call = move |($($argument,)+)| $crate::adapter::boxed(hook($($argument),+));
            self.$hook = Some(Box::new(call));
            self
        }
    };
    (@set $trait:ident::$hook:ident $setter:ident($($argument:ident: $type:ty),+) -> $output:ty) => {
        #[doc = concat!("Sets [`", stringify!($trait), "::", stringify!($hook), "`].")]
        pub fn $setter<F, Fut>(mut self, hook: F) -> Self
        where
            F: Fn($($type),+) -> Fut + $crate::MaybeSend + $crate::MaybeSync + 'static,
            Fut: Future<Output = $output> + $crate::MaybeSend + 'static,
        {
            self.$hook = Some(Box::new(move |($($argument,)+)| Box::pin(hook($($argument),+))));
            self
        }
    };
}

/// A type with a closure for each hook of a trait: its fields, its [setters](hook_setters) and the
/// trait's implementation. A hook without a closure does what `Hooks` does by default; `$untyped`
/// returns the peer of a handle.
#[doc(hidden)]
#[macro_export]
macro_rules! closure_hooks {
    (
        $(#[$meta:meta])*
        pub struct $name:ident[$($generics:ident),*] where [$($bounds:tt)*];
        impl $trait:ident with $peer:ty, $message:ty, $untyped:expr, { $($associated:tt)* }
    ) => {
        $crate::hook_table! {
            $crate::closure_hooks, $peer, $message,
            $(#[$meta])*
            pub struct $name[$($generics),*] where [$($bounds)*];
            impl $trait with $peer, $message, $untyped, { $($associated)* }
        }
    };
    (
        {
            $(#[$meta:meta])*
            pub struct $name:ident[$($generics:ident),*] where [$($bounds:tt)*];
            impl $trait:ident with $peer:ty, $message:ty, $untyped:expr, { $($associated:tt)* }
        }
        $(
            plain $hook:ident $hook_dyn:ident $setter:ident
                ($(&$lent:ident: $lent_type:ty),+ $(; $own:ident: $own_type:ty)?)
                as ($($given:ident: $given_type:ty),+) -> $output:ty;
        )*
        $(other $($other:tt)*)?
    ) => {
        $(#[$meta])*
        pub struct $name<$($generics),*> {
            $($hook: Option<$crate::adapter::Callback<($($given_type,)+), $output>>,)*
            upgrade: Option<
                $crate::adapter::Callback<
                    ($crate::UpgradeRequest,),
                    Result<$crate::Upgrade, $crate::Rejection>,
                >,
            >,
            error: Option<$crate::adapter::Callback<($peer, $crate::Error), $crate::OnError>>,
        }

        impl<$($generics),*> Default for $name<$($generics),*> {
            fn default() -> Self {
                Self {
                    $($hook: None,)*
                    upgrade: None,
                    error: None,
                }
            }
        }

        impl<$($bounds)*> $name<$($generics),*> {
            $($crate::hook_setters!(@set $trait::$hook $setter($($given: $given_type),+));)*
            $crate::hook_setters!($trait, $peer, $message: upgrade error);
        }

        impl<$($bounds)*> $trait for $name<$($generics),*> {
            $($associated)*

            $(
                async fn $hook(&self, $($lent: &$lent_type,)+ $($own: $own_type)?) -> $output {
                    match &self.$hook {
                        Some(hook) => hook(($($lent.to_owned(),)+ $($own,)?)).await,
                        None => Ok(()),
                    }
                }
            )*

            $crate::hook_setters!(@run upgrade);
            $crate::hook_setters!(@run error $peer, $untyped);
        }

        impl<$($generics),*> std::fmt::Debug for $name<$($generics),*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

/// A type that runs a loop for each connection: its [setters](hook_setters) and the implementation of a
/// trait of hooks.
#[doc(hidden)]
#[macro_export]
macro_rules! loop_hooks {
    (
        $(#[$meta:meta])*
        pub struct $name:ident[$($generics:ident),*] where [$($bounds:tt)*];
        impl $trait:ident with $peer:ty, $message:ty, $untyped:expr, { $($associated:tt)* }
    ) => {
        $(#[$meta])*
        pub struct $name<$($generics),*> {
            upgrade: Option<
                $crate::adapter::Callback<
                    ($crate::UpgradeRequest,),
                    Result<$crate::Upgrade, $crate::Rejection>,
                >,
            >,
            timer: Option<$crate::adapter::Callback<($peer, String), $crate::HookResult>>,
            error: Option<$crate::adapter::Callback<($peer, $crate::Error), $crate::OnError>>,
            run: $crate::adapter::Loop<$peer, $message>,
        }

        impl<$($bounds)*> $name<$($generics),*> {
            fn new(run: $crate::adapter::Loop<$peer, $message>) -> Self {
                Self {
                    upgrade: None,
                    timer: None,
                    error: None,
                    run,
                }
            }

            $crate::hook_setters!($trait, $peer, $message: upgrade timer error);
        }

        impl<$($bounds)*> $trait for $name<$($generics),*> {
            $($associated)*

            async fn start(&self, hub: &$crate::Hub) -> $crate::HookResult {
                self.run.start(hub)
            }

            async fn open(&self, peer: &$peer) -> $crate::HookResult {
                let untyped: fn(&$peer) -> &$crate::Peer = $untyped;
                self.run.open(untyped(peer), peer.clone())
            }

            async fn message(&self, peer: &$peer, message: $message) -> $crate::HookResult {
                let untyped: fn(&$peer) -> &$crate::Peer = $untyped;
                self.run.message(untyped(peer), message).await
            }

            async fn close(&self, peer: &$peer, closed: $crate::Closed) -> $crate::HookResult {
                let untyped: fn(&$peer) -> &$crate::Peer = $untyped;
                self.run.close(untyped(peer), closed).await
            }

            $crate::hook_setters!(@run upgrade);
            $crate::hook_setters!(@run timer $peer);
            $crate::hook_setters!(@run error $peer, $untyped);
        }

        impl<$($generics),*> std::fmt::Debug for $name<$($generics),*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
