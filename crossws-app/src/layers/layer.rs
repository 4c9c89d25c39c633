use std::sync::Arc;

use crossws_core::{
    BoxFuture, Hooks, MaybeSend, MaybeSync, Rejection, SharedHooks, UpgradeRequest,
};

/// A layer of a [`Router`](crate::Router) or a route: it runs before the upgrade, and may wrap
/// every hook.
///
/// For a function that runs before the upgrade see [`Router::before`](crate::Router::before).
/// Implement this for a type that has state, or wraps hooks.
///
/// ```
/// use crossws_app::Layer;
/// use crossws_core::http::StatusCode;
/// use crossws_core::{Rejection, UpgradeRequest};
///
/// struct Region(&'static str);
///
/// impl Layer for Region {
///     async fn before(&self, request: &mut UpgradeRequest) -> Result<(), Rejection> {
///         match request.header("x-region") {
///             Some(region) if region != self.0 => Err(StatusCode::MISDIRECTED_REQUEST.into()),
///             _ => Ok(()),
///         }
///     }
/// }
/// ```
pub trait Layer: MaybeSend + MaybeSync + 'static {
    /// Runs before the route's `upgrade` hook, within the route's deadline for it, after the origin
    /// has been checked. It may refuse the request with any response, and
    /// [attach](UpgradeRequest::attach) values that every hook reads. By default it does nothing.
    ///
    /// Where connections sleep it runs again when they wake, on the stored request, with the
    /// headers that [`HubBuilder::keep_headers`](crossws_core::HubBuilder::keep_headers) names.
    fn before(
        &self,
        request: &mut UpgradeRequest,
    ) -> impl Future<Output = Result<(), Rejection>> + MaybeSend {
        let _ = request;
        async { Ok(()) }
    }

    /// Returns whether [`before`](Self::before) decides who may connect, and attaches the user. It
    /// does not run for a test client that comes with a user of the test: see `attach` of the test
    /// toolkit. By default it decides.
    fn decides_who(&self) -> bool {
        true
    }

    /// Wraps the hooks of a route. Called once for each route when the router is built. By default
    /// it returns them as they are.
    fn wrap(&self, hooks: SharedHooks) -> SharedHooks {
        hooks
    }
}

/// A layer with an erased type.
pub(crate) type SharedLayer = Arc<dyn DynLayer>;

pub(crate) trait DynLayer: MaybeSend + MaybeSync {
    fn before_dyn<'a>(
        &'a self,
        request: &'a mut UpgradeRequest,
    ) -> BoxFuture<'a, Result<(), Rejection>>;

    fn decides_who_dyn(&self) -> bool;

    fn wrap_dyn(&self, hooks: SharedHooks) -> SharedHooks;
}

impl<L: Layer> DynLayer for L {
    fn before_dyn<'a>(
        &'a self,
        request: &'a mut UpgradeRequest,
    ) -> BoxFuture<'a, Result<(), Rejection>> {
        Box::pin(self.before(request))
    }

    fn decides_who_dyn(&self) -> bool {
        self.decides_who()
    }

    fn wrap_dyn(&self, hooks: SharedHooks) -> SharedHooks {
        self.wrap(hooks)
    }
}

/// A function that runs before the upgrade: `async fn(&mut UpgradeRequest)`, or a closure
/// `async |request: &mut UpgradeRequest| { … }`. It returns nothing, or a `Result` whose error
/// refuses the request.
///
/// A closure that captures values clones them for each request:
/// `move |request: &mut UpgradeRequest| { let db = db.clone(); async move { … } }`. Where that
/// borrows the request as well, implement [`Layer`].
///
/// Implemented for all of these, and not by hand.
///
/// ```
/// use crossws_app::Router;
/// use crossws_core::http::StatusCode;
/// use crossws_core::{UpgradeRequest, hooks};
///
/// struct Version(u32);
///
/// async fn version(request: &mut UpgradeRequest) -> Result<(), StatusCode> {
///     let version = request.header("x-version").and_then(|text| text.parse().ok());
///     request.attach(Version(version.ok_or(StatusCode::BAD_REQUEST)?));
///     Ok(())
/// }
///
/// let app = Router::new().before(version).route("/chat", hooks());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that runs before an upgrade",
    label = "expected `async fn(&mut UpgradeRequest) -> Result<(), E>`",
    note = "`E` must convert into `Rejection`; a closure that captures what it borrows must be a `Layer`"
)]
pub trait BeforeFn<'a>: Fn(&'a mut UpgradeRequest) -> Self::Future {
    /// What the function returns.
    type Future: Future<Output: BeforeOutput> + MaybeSend + 'a;
}

impl<'a, F, Fut> BeforeFn<'a> for F
where
    F: Fn(&'a mut UpgradeRequest) -> Fut,
    Fut: Future<Output: BeforeOutput> + MaybeSend + 'a,
{
    type Future = Fut;
}

/// The output of a function that runs before the upgrade: see [`BeforeFn`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot let a request in or refuse it",
    label = "expected `()` or `Result<(), E>` where `E` converts into `Rejection`"
)]
pub trait BeforeOutput {
    /// Converts the output.
    ///
    /// # Errors
    /// The response to refuse with.
    fn into_result(self) -> Result<(), Rejection>;
}

impl BeforeOutput for () {
    fn into_result(self) -> Result<(), Rejection> {
        Ok(())
    }
}

impl<E: Into<Rejection>> BeforeOutput for Result<(), E> {
    fn into_result(self) -> Result<(), Rejection> {
        self.map_err(Into::into)
    }
}

/// A function as a layer.
pub(crate) struct Before<F>(pub(crate) F);

impl<F> Layer for Before<F>
where
    F: for<'a> BeforeFn<'a> + MaybeSend + MaybeSync + 'static,
{
    async fn before(&self, request: &mut UpgradeRequest) -> Result<(), Rejection> {
        (self.0)(request).await.into_result()
    }
}

/// A function that wraps hooks as a layer.
pub(crate) struct Wrap<F>(pub(crate) F);

impl<F, H> Layer for Wrap<F>
where
    F: Fn(SharedHooks) -> H + MaybeSend + MaybeSync + 'static,
    H: Hooks,
{
    fn wrap(&self, hooks: SharedHooks) -> SharedHooks {
        SharedHooks::new((self.0)(hooks))
    }
}

/// A function that attaches what hooks read, as a layer.
pub(crate) struct Attaching(pub(crate) fn(&mut UpgradeRequest) -> Result<(), Rejection>);

impl Layer for Attaching {
    async fn before(&self, request: &mut UpgradeRequest) -> Result<(), Rejection> {
        (self.0)(request)
    }

    fn decides_who(&self) -> bool {
        false
    }
}
