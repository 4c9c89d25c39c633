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

/// The parts of [`closure_hooks`] that depend on the kind of a hook: its setter, and what it does by
/// default.
#[doc(hidden)]
#[macro_export]
macro_rules! closure_hook {
    (set plain $trait:ident::$hook:ident $setter:ident($($argument:ident: $type:ty),+) -> $output:ty) => {
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
    (set $kind:ident $trait:ident::$hook:ident $setter:ident($($argument:ident: $type:ty),+) -> $output:ty) => {
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
    (default plain $($given:tt)*) => {
        Ok(())
    };
    (default upgrade $($given:tt)*) => {
        Ok($crate::Upgrade::new())
    };
    (default error $untyped:expr, $peer:ident $error:ident) => {{
        $error.log($untyped($peer));
        $crate::OnError::default()
    }};
}

/// A type with a closure for each hook of a trait: its fields, its setters and the trait's implementation.
/// A hook without a closure does what `Hooks` does by default; `$untyped` returns the peer of a handle.
///
/// With rows of [`hook_table`](crate::hook_table) it has closures for these hooks alone. Then a field may
/// be named, and the further hooks are items of the implementation.
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
            pub struct $name[$($generics),*] where [$($bounds)*] {}
            impl $trait with $untyped, { $($associated)* }
        }

        impl<$($generics),*> Default for $name<$($generics),*> {
            fn default() -> Self {
                Self::new()
            }
        }
    };
    (
        {
            $(#[$meta:meta])*
            pub struct $name:ident[$($generics:ident),*] where [$($bounds:tt)*] {
                $($field:ident: $field_type:ty)?
            }
            impl $trait:ident with $untyped:expr, { $($items:tt)* }
        }
        $(
            $kind:ident $hook:ident $hook_dyn:ident $setter:ident
                ($(&$lent:ident: $lent_type:ty),+ $(; $own:ident: $own_type:ty)?)
                as ($($given:ident: $given_type:ty),+) -> $output:ty;
        )*
    ) => {
        $(#[$meta])*
        pub struct $name<$($generics),*> {
            $($hook: Option<$crate::adapter::Callback<($($given_type,)+), $output>>,)*
            $($field: $field_type,)?
        }

        impl<$($generics),*> $name<$($generics),*> {
            fn new($($field: $field_type)?) -> Self {
                Self {
                    $($hook: None,)*
                    $($field,)?
                }
            }
        }

        impl<$($bounds)*> $name<$($generics),*> {
            $($crate::closure_hook!(set $kind $trait::$hook $setter($($given: $given_type),+) -> $output);)*
        }

        impl<$($bounds)*> $trait for $name<$($generics),*> {
            $($items)*

            $(
                async fn $hook(&self, $($lent: &$lent_type,)+ $($own: $own_type)?) -> $output {
                    match &self.$hook {
                        Some(hook) => hook(($($lent.to_owned(),)+ $($own,)?)).await,
                        None => $crate::closure_hook!(default $kind $untyped, $($lent)+ $($own)?),
                    }
                }
            )*
        }

        $crate::opaque_debug!($name<$($generics),*>);
    };
}

/// A type that runs a loop for each connection, with [closures](closure_hooks) for the hooks that are left.
#[doc(hidden)]
#[macro_export]
macro_rules! loop_hooks {
    (
        $(#[$meta:meta])*
        pub struct $name:ident[$($generics:ident),*] where [$($bounds:tt)*];
        impl $trait:ident with $peer:ty, $message:ty, $untyped:expr, { $($associated:tt)* }
    ) => {
        $crate::closure_hooks! {
            {
                $(#[$meta])*
                pub struct $name[$($generics),*] where [$($bounds)*] {
                    run: $crate::adapter::Loop<$peer, $message>
                }
                impl $trait with $untyped, {
                    $($associated)*

                    async fn start(&self, hub: &$crate::Hub) -> $crate::HookResult {
                        self.run.start(hub)
                    }

                    async fn open(&self, peer: &$peer) -> $crate::HookResult {
                        self.run.open($untyped(peer), peer.clone())
                    }

                    async fn message(&self, peer: &$peer, message: $message) -> $crate::HookResult {
                        self.run.message($untyped(peer), message).await
                    }

                    async fn close(&self, peer: &$peer, closed: $crate::Closed) -> $crate::HookResult {
                        self.run.close($untyped(peer), closed).await
                    }
                }
            }
            // As in `hook_table`, for the hooks that a loop leaves.
            upgrade upgrade upgrade_dyn on_upgrade(&request: $crate::UpgradeRequest)
                as (request: $crate::UpgradeRequest) -> Result<$crate::Upgrade, $crate::Rejection>;
            plain timer timer_dyn on_timer(&peer: $peer, &name: str)
                as (peer: $peer, name: String) -> $crate::HookResult;
            error error error_dyn on_error(&peer: $peer; error: $crate::Error)
                as (peer: $peer, error: $crate::Error) -> $crate::OnError;
        }
    };
}
