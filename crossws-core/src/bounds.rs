//! `Send` where threads exist, nothing where they do not.
//!
//! The bounds follow the target, never a Cargo feature: features add up across a build, and one
//! crate must not change what another crate's types promise. On `wasm32` (Cloudflare Workers)
//! futures hold JavaScript handles and cannot be `Send`; on every other target a connection may
//! move between threads. Documentation built natively shows the native bounds.

use std::any::Any;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;

/// The bounds of a target: `Send Sync`, or nothing.
macro_rules! bounds {
    ($($send:ident $sync:ident)?) => {
        /// `Send` on every target but `wasm32`, where it requires nothing.
        pub trait MaybeSend: $($send)? {}
        impl<T: $($send +)? ?Sized> MaybeSend for T {}

        /// `Sync` on every target but `wasm32`, where it requires nothing.
        pub trait MaybeSync: $($sync)? {}
        impl<T: $($sync +)? ?Sized> MaybeSync for T {}

        /// A boxed error, as hooks return it; `?` converts any error into it: see [`ok`](crate::ok).
        pub type BoxError = Box<dyn Error $(+ $send + $sync)?>;

        /// A boxed future, for code that erases the types of hooks: see
        /// [`BeforeUpgrade`](crate::BeforeUpgrade).
        pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> $(+ $send)? + 'a>>;

        /// A closure in the form that the hook builder stores.
        pub type Callback<A, R> = Box<dyn Fn(A) -> BoxFuture<'static, R> $(+ $send + $sync)?>;

        /// A closure that is called once.
        pub(crate) type OnceCallback<A, R> = Box<dyn FnOnce(A) -> BoxFuture<'static, R> $(+ $send)?>;

        /// A value of any type that a peer may carry.
        pub(crate) type AnyValue = dyn Any $(+ $send + $sync)?;
    };
}

#[cfg(not(target_arch = "wasm32"))]
bounds!(Send Sync);
#[cfg(target_arch = "wasm32")]
bounds!();

/// An `Fn` that is `Send` and `Sync` where [`MaybeSend`] is `Send`: a trait object of `Fn` cannot have
/// that bound.
pub trait Function<A, R>: MaybeSend + MaybeSync + 'static {
    /// Calls the closure.
    fn apply(&self, argument: A) -> R;
}

impl<F, A, R> Function<A, R> for F
where
    F: Fn(A) -> R + MaybeSend + MaybeSync + 'static,
{
    fn apply(&self, argument: A) -> R {
        self(argument)
    }
}

/// Shares a value whose type only its users know. An `Arc<dyn Any>` that is not `Send` has no
/// `downcast`, so that on `wasm32` it holds the `Arc` that is asked for.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn share<T: MaybeSend + MaybeSync + 'static>(value: T) -> Arc<AnyValue> {
    Arc::new(value)
}
/// Shares a value whose type only its users know. An `Arc<dyn Any>` that is not `Send` has no
/// `downcast`, so that on `wasm32` it holds the `Arc` that is asked for.
#[cfg(target_arch = "wasm32")]
pub(crate) fn share<T: MaybeSend + MaybeSync + 'static>(value: T) -> Arc<AnyValue> {
    Arc::new(Arc::new(value))
}

/// Returns a [`share`]d value, if it is of this type.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn shared<T: MaybeSend + MaybeSync + 'static>(value: Arc<AnyValue>) -> Option<Arc<T>> {
    value.downcast().ok()
}
/// Returns a [`share`]d value, if it is of this type.
#[cfg(target_arch = "wasm32")]
pub(crate) fn shared<T: MaybeSend + MaybeSync + 'static>(value: Arc<AnyValue>) -> Option<Arc<T>> {
    (&*value as &dyn Any).downcast_ref().cloned()
}
