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

/// `Send` on every target but `wasm32`, where it requires nothing.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + ?Sized> MaybeSend for T {}

/// `Sync` on every target but `wasm32`, where it requires nothing.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSync: Sync {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Sync + ?Sized> MaybeSync for T {}

/// `Send` on every target but `wasm32`, where it requires nothing.
#[cfg(target_arch = "wasm32")]
pub trait MaybeSend {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> MaybeSend for T {}

/// `Sync` on every target but `wasm32`, where it requires nothing.
#[cfg(target_arch = "wasm32")]
pub trait MaybeSync {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> MaybeSync for T {}

/// A boxed error, as hooks return it; `?` converts any error into it: see [`ok`](crate::ok).
#[cfg(not(target_arch = "wasm32"))]
pub type BoxError = Box<dyn Error + Send + Sync>;
/// A boxed error, as hooks return it; `?` converts any error into it: see [`ok`](crate::ok).
#[cfg(target_arch = "wasm32")]
pub type BoxError = Box<dyn Error>;

/// A boxed future, for code that erases the types of hooks: see
/// [`BeforeUpgrade`](crate::BeforeUpgrade).
#[cfg(not(target_arch = "wasm32"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A boxed future, for code that erases the types of hooks: see
/// [`BeforeUpgrade`](crate::BeforeUpgrade).
#[cfg(target_arch = "wasm32")]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A value of any type that a peer may carry.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) type AnyValue = dyn Any + Send + Sync;
/// A value of any type that a peer may carry.
#[cfg(target_arch = "wasm32")]
pub(crate) type AnyValue = dyn Any;

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

/// A closure in the form that the hook builder stores.
#[cfg(not(target_arch = "wasm32"))]
pub type Callback<A, R> = Box<dyn Fn(A) -> BoxFuture<'static, R> + Send + Sync>;
/// A closure in the form that the hook builder stores.
#[cfg(target_arch = "wasm32")]
pub type Callback<A, R> = Box<dyn Fn(A) -> BoxFuture<'static, R>>;
