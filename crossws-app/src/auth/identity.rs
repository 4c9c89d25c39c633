use std::future::ready;
use std::sync::Arc;

use crossws_core::{MaybeSend, MaybeSync, UpgradeRequest};

use crate::layers::layer::{Before, Layer};

/// See [`Router::identity`](crate::Router::identity).
pub(crate) fn identity<T, F, N>(name: F) -> impl Layer
where
    T: MaybeSend + MaybeSync + 'static,
    F: Fn(&T) -> N + MaybeSend + MaybeSync + 'static,
    N: Into<Arc<str>> + 'static,
{
    Before(move |request: &mut UpgradeRequest| {
        if let Ok(value) = request.attached::<T>() {
            request.set_identity(name(&value));
        }
        ready(())
    })
}
