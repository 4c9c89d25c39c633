use std::marker::PhantomData;
use std::sync::Arc;

use crossws_core::{MaybeSend, MaybeSync, Rejection, UpgradeRequest};

use crate::layers::layer::Layer;

/// See [`Router::identity`](crate::Router::identity).
pub(crate) struct Identity<T, F> {
    name: F,
    of: PhantomData<fn() -> T>,
}

impl<T, F> Identity<T, F> {
    pub(crate) fn new(name: F) -> Self {
        let of = PhantomData;
        Self { name, of }
    }
}

impl<T, F, N> Layer for Identity<T, F>
where
    T: MaybeSend + MaybeSync + 'static,
    F: Fn(&T) -> N + MaybeSend + MaybeSync + 'static,
    N: Into<Arc<str>>,
{
    async fn before(&self, request: &mut UpgradeRequest) -> Result<(), Rejection> {
        if let Ok(value) = request.attached::<T>() {
            request.set_identity((self.name)(&value));
        }
        Ok(())
    }
}
