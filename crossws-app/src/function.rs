//! Closures of one type, for fields.

use crossws_core::{MaybeSend, MaybeSync};

/// An `Fn` that is `Send` and `Sync` where [`MaybeSend`] is `Send`: a trait object of `Fn` cannot have
/// that bound.
pub(crate) trait Function<A, R>: MaybeSend + MaybeSync + 'static {
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
