use std::sync::Arc;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::hooks::Hooks;
use crate::opaque_debug;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::resolve::route::Route;
use crate::upgrade::resolve::{Resolution, Resolve};

/// Creates a resolver from a function, which chooses the hooks of each request.
///
/// The function returns a type that implements [`IntoResolution`]: hooks or a [`Route`], an
/// `Option` of them, a `Result` whose error refuses, or a [`Resolution`]. For a choice that awaits,
/// and for hooks with a `start` of their own, implement [`Resolve`].
///
/// ```
/// # use std::sync::Arc;
/// # use crossws_core::{UpgradeRequest, hooks, resolve_with};
/// let echo = Arc::new(hooks().on_message(|peer, message| async move { peer.send(message) }));
/// let app = resolve_with(move |request: &mut UpgradeRequest| {
///     (request.path() == "/echo").then(|| Arc::clone(&echo))
/// });
/// # fn takes(_: impl crossws_core::Resolve) {} takes(app);
/// ```
pub fn resolve_with<F, T>(choose: F) -> ResolveWith<F>
where
    F: Fn(&mut UpgradeRequest) -> T + MaybeSend + MaybeSync + 'static,
    T: IntoResolution,
{
    ResolveWith(choose)
}

/// See [`resolve_with`].
#[derive(Clone)]
pub struct ResolveWith<F>(F);

opaque_debug!(ResolveWith<F>);

impl<F, T> Resolve for ResolveWith<F>
where
    F: Fn(&mut UpgradeRequest) -> T + MaybeSend + MaybeSync + 'static,
    T: IntoResolution,
{
    type Hooks = T::Hooks;

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<T::Hooks> {
        (self.0)(request).into_resolution()
    }
}

/// The output of a function that chooses hooks: see [`resolve_with`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which hooks a request gets",
    label = "`Arc<hooks>`, a `Route`, an `Option` or `Result` of them, or a `Resolution` is expected"
)]
pub trait IntoResolution {
    /// The type of the hooks.
    type Hooks: Hooks + ?Sized;

    /// Converts into a resolution.
    fn into_resolution(self) -> Resolution<Self::Hooks>;
}

macro_rules! into_resolution {
    ($($type:ident),+) => {$(
        impl<H: Hooks + ?Sized> IntoResolution for $type<H> {
            type Hooks = H;

            fn into_resolution(self) -> Resolution<H> {
                self.into()
            }
        }
    )+};
}

into_resolution!(Resolution, Route, Arc);

/// `None` passes the request on.
impl<T: IntoResolution> IntoResolution for Option<T> {
    type Hooks = T::Hooks;

    fn into_resolution(self) -> Resolution<T::Hooks> {
        self.map_or(Resolution::Pass, T::into_resolution)
    }
}

/// An error refuses the request.
impl<T: IntoResolution, E: Into<Rejection>> IntoResolution for Result<T, E> {
    type Hooks = T::Hooks;

    fn into_resolution(self) -> Resolution<T::Hooks> {
        match self {
            Ok(chosen) => chosen.into_resolution(),
            Err(error) => Resolution::Reject(error.into()),
        }
    }
}
