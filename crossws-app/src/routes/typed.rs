//! Layers that require a typed path or query before any hook.

use std::marker::PhantomData;

use crossws_core::{MaybeSend, MaybeSync, Rejection, UpgradeRequest};
use serde::de::DeserializeOwned;

use crate::layers::layer::Layer;
use crate::request::RequestExt;

macro_rules! typed {
    ($(#[doc = $doc:literal] $name:ident $read:ident;)+) => {$(
        #[doc = $doc]
        // A function pointer is `Send` and `Sync`, whatever `T` is.
        pub(crate) struct $name<T>(PhantomData<fn() -> T>);

        impl<T> $name<T> {
            pub(crate) fn new() -> Self {
                Self(PhantomData)
            }
        }

        impl<T: DeserializeOwned + MaybeSend + MaybeSync + 'static> Layer for $name<T> {
            async fn before(&self, request: &mut UpgradeRequest) -> Result<(), Rejection> {
                let value: T = request.$read()?;
                request.attach(value);
                Ok(())
            }

            fn decides_who(&self) -> bool {
                false
            }
        }
    )+};
}

typed! {
    /// Attaches the parameters of the path as a `T`.
    TypedPath path_as;
    /// Attaches the query as a `T`.
    TypedQuery query_as;
}
