//! Closures as hooks: the one list of setters, for every type that has them.

use crate::bounds::{BoxFuture, MaybeSend};
use crate::hooks::HookResult;
use crate::peer::tasks::HookOutput;

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
    (@start $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(@set $trait::start on_start(hub: $crate::Hub));
    };
    (@upgrade $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(
            @set $trait::upgrade on_upgrade(request: $crate::UpgradeRequest)
                -> Result<$crate::Upgrade, $crate::Rejection>
        );
    };
    (@open $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(@set $trait::open on_open(peer: $peer));
    };
    (@message $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(@set $trait::message on_message(peer: $peer, message: $message));
    };
    (@drain $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(@set $trait::drain on_drain(peer: $peer));
    };
    (@ping $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(@set $trait::ping on_ping(peer: $peer, data: $crate::Bytes));
    };
    (@pong $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(@set $trait::pong on_pong(peer: $peer, data: $crate::Bytes));
    };
    (@subscription $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(
            @set $trait::subscription on_subscription(peer: $peer, event: $crate::Subscription)
        );
    };
    (@dropped $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(
            @set $trait::dropped on_dropped(peer: $peer, dropped: $crate::Dropped)
        );
    };
    (@timer $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(@set $trait::timer on_timer(peer: $peer, name: String));
    };
    (@close $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(@set $trait::close on_close(peer: $peer, closed: $crate::Closed));
    };
    (@error $trait:ident, $peer:ty, $message:ty) => {
        $crate::hook_setters!(
            @set $trait::error on_error(peer: $peer, error: $crate::Error) -> $crate::OnError
        );
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
        $(#[$meta])*
        pub struct $name<$($generics),*> {
            start: Option<$crate::adapter::Callback<($crate::Hub,), $crate::HookResult>>,
            upgrade: Option<
                $crate::adapter::Callback<
                    ($crate::UpgradeRequest,),
                    Result<$crate::Upgrade, $crate::Rejection>,
                >,
            >,
            open: Option<$crate::adapter::Callback<($peer,), $crate::HookResult>>,
            message: Option<$crate::adapter::Callback<($peer, $message), $crate::HookResult>>,
            drain: Option<$crate::adapter::Callback<($peer,), $crate::HookResult>>,
            ping: Option<$crate::adapter::Callback<($peer, $crate::Bytes), $crate::HookResult>>,
            pong: Option<$crate::adapter::Callback<($peer, $crate::Bytes), $crate::HookResult>>,
            subscription: Option<
                $crate::adapter::Callback<($peer, $crate::Subscription), $crate::HookResult>,
            >,
            dropped: Option<$crate::adapter::Callback<($peer, $crate::Dropped), $crate::HookResult>>,
            timer: Option<$crate::adapter::Callback<($peer, String), $crate::HookResult>>,
            close: Option<$crate::adapter::Callback<($peer, $crate::Closed), $crate::HookResult>>,
            error: Option<$crate::adapter::Callback<($peer, $crate::Error), $crate::OnError>>,
        }

        impl<$($generics),*> Default for $name<$($generics),*> {
            fn default() -> Self {
                Self {
                    start: None,
                    upgrade: None,
                    open: None,
                    message: None,
                    drain: None,
                    ping: None,
                    pong: None,
                    subscription: None,
                    dropped: None,
                    timer: None,
                    close: None,
                    error: None,
                }
            }
        }

        impl<$($bounds)*> $name<$($generics),*> {
            $crate::hook_setters!(
                $trait, $peer, $message:
                start upgrade open message drain ping pong subscription dropped timer close error
            );
        }

        impl<$($bounds)*> $trait for $name<$($generics),*> {
            $($associated)*

            async fn start(&self, hub: &$crate::Hub) -> $crate::HookResult {
                match &self.start {
                    Some(hook) => hook((hub.clone(),)).await,
                    None => Ok(()),
                }
            }

            async fn upgrade(
                &self,
                request: &$crate::UpgradeRequest,
            ) -> Result<$crate::Upgrade, $crate::Rejection> {
                match &self.upgrade {
                    Some(hook) => hook((request.clone(),)).await,
                    None => Ok($crate::Upgrade::new()),
                }
            }

            async fn open(&self, peer: &$peer) -> $crate::HookResult {
                match &self.open {
                    Some(hook) => hook((peer.clone(),)).await,
                    None => Ok(()),
                }
            }

            async fn message(&self, peer: &$peer, message: $message) -> $crate::HookResult {
                match &self.message {
                    Some(hook) => hook((peer.clone(), message)).await,
                    None => Ok(()),
                }
            }

            async fn drain(&self, peer: &$peer) -> $crate::HookResult {
                match &self.drain {
                    Some(hook) => hook((peer.clone(),)).await,
                    None => Ok(()),
                }
            }

            async fn ping(&self, peer: &$peer, data: $crate::Bytes) -> $crate::HookResult {
                match &self.ping {
                    Some(hook) => hook((peer.clone(), data)).await,
                    None => Ok(()),
                }
            }

            async fn pong(&self, peer: &$peer, data: $crate::Bytes) -> $crate::HookResult {
                match &self.pong {
                    Some(hook) => hook((peer.clone(), data)).await,
                    None => Ok(()),
                }
            }

            async fn subscription(
                &self,
                peer: &$peer,
                event: $crate::Subscription,
            ) -> $crate::HookResult {
                match &self.subscription {
                    Some(hook) => hook((peer.clone(), event)).await,
                    None => Ok(()),
                }
            }

            async fn dropped(&self, peer: &$peer, dropped: $crate::Dropped) -> $crate::HookResult {
                match &self.dropped {
                    Some(hook) => hook((peer.clone(), dropped)).await,
                    None => Ok(()),
                }
            }

            async fn timer(&self, peer: &$peer, name: &str) -> $crate::HookResult {
                match &self.timer {
                    Some(hook) => hook((peer.clone(), name.to_owned())).await,
                    None => Ok(()),
                }
            }

            async fn close(&self, peer: &$peer, closed: $crate::Closed) -> $crate::HookResult {
                match &self.close {
                    Some(hook) => hook((peer.clone(), closed)).await,
                    None => Ok(()),
                }
            }

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
        }

        impl<$($generics),*> std::fmt::Debug for $name<$($generics),*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
