use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};
use crate::hooks::dyn_hooks::{DynHooks, SharedHooks};
use crate::hooks::{HookResult, Hooks};
use crate::hub::Hub;
use crate::hub::settings::RouteSettings;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::{Params, UpgradeRequest};

/// Chooses the hooks for a request, once per connection.
///
/// All hooks resolve to themselves, so that a single app is passed as it is, and its hooks are
/// called without a table or a box in between. For several apps of different types, resolve to
/// [`SharedHooks`](crate::SharedHooks) or `dyn DynHooks`. For a function, see [`resolve_with`];
/// for a resolver behind a pointer [`DynResolve`], for one that is replaced while the server runs
/// [`Swap`](crate::Swap).
///
/// ```
/// # use std::sync::Arc;
/// # use crossws_core::{Hooks, Rejection, Resolution, Resolve, Route, UpgradeRequest};
/// # use http::StatusCode;
/// # struct Chat; impl Hooks for Chat {}
/// # struct User; fn user(_: &str) -> Option<User> { None }
/// struct App(Arc<Chat>);
///
/// impl Resolve for App {
///     type Hooks = Chat;
///
///     async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<Chat> {
///         if request.path() != "/chat" {
///             return Resolution::Pass;
///         }
///         let Some(user) = request.header("authorization").and_then(user) else {
///             return Rejection::from(StatusCode::UNAUTHORIZED).into();
///         };
///         request.attach(user); // every hook reads it with `peer.attached::<User>()`
///         Route::new(Arc::clone(&self.0)).into()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither hooks nor a resolver",
    label = "hooks (`impl Hooks`, `hooks()`, `handler(..)`) or a resolver are expected",
    note = "a function that chooses hooks is a resolver as `resolve_with(function)`"
)]
pub trait Resolve: MaybeSend + MaybeSync + 'static {
    /// The hooks this resolves to.
    type Hooks: Hooks + ?Sized;

    /// Chooses the hooks for this request. What is [attached](UpgradeRequest::attach) to it here
    /// is readable in every hook.
    ///
    /// Runs again, on the request as it was stored, when a sleeping object wakes and its peers'
    /// hooks are needed.
    fn resolve(
        self: &Arc<Self>,
        request: &mut UpgradeRequest,
    ) -> impl Future<Output = Resolution<Self::Hooks>> + MaybeSend;

    /// Runs the `start` hook of everything that this may resolve to, once each: see
    /// [`Hooks::start`]. Does nothing by default.
    fn start(self: &Arc<Self>, hub: &Hub) -> impl Future<Output = HookResult> + MaybeSend {
        let _ = hub;
        async { Ok(()) }
    }
}

impl<H: Hooks> Resolve for H {
    type Hooks = H;

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        Hooks::start(&**self, hub).await
    }

    async fn resolve(self: &Arc<Self>, _: &mut UpgradeRequest) -> Resolution<H> {
        Resolution::Route(Route::new(Arc::clone(self)))
    }
}

/// What a resolver says about a request.
#[derive(Debug)]
// Exhaustive on purpose: a request is taken, left to others, or refused.
#[allow(clippy::exhaustive_enums)]
pub enum Resolution<H: ?Sized> {
    /// These hooks take it.
    Route(Route<H>),
    /// It is not for any hooks: the request goes to the HTTP service, and where there is none the
    /// client gets a 404.
    Pass,
    /// It is refused with this response.
    Reject(Rejection),
}

impl<H: ?Sized> From<Route<H>> for Resolution<H> {
    fn from(route: Route<H>) -> Self {
        Self::Route(route)
    }
}

impl<H: ?Sized> From<Arc<H>> for Resolution<H> {
    fn from(hooks: Arc<H>) -> Self {
        Self::Route(Route::new(hooks))
    }
}

impl<H: ?Sized> From<Rejection> for Resolution<H> {
    fn from(rejection: Rejection) -> Self {
        Self::Reject(rejection)
    }
}

/// The hooks chosen for a request, with what the route's pattern matched and what is configured
/// for the route.
pub struct Route<H: ?Sized> {
    pub(crate) hooks: Arc<H>,
    pub(crate) params: Params,
    pub(crate) namespace: Option<Arc<str>>,
    /// Without another one the path is the namespace, as it is.
    pub(crate) path_is_normal: bool,
    pub(crate) settings: Option<Arc<RouteSettings>>,
    pub(crate) before: Option<Arc<dyn BeforeUpgrade>>,
}

impl<H: ?Sized> Route<H> {
    /// A route to these hooks, without parameters, with the hub's settings.
    pub fn new(hooks: Arc<H>) -> Self {
        Self {
            hooks,
            params: Params::default(),
            namespace: None,
            path_is_normal: false,
            settings: None,
            before: None,
        }
    }

    /// Adds route parameters, which every hook then reads with [`UpgradeRequest::params`].
    #[must_use]
    pub fn params(mut self, params: Params) -> Self {
        self.params = params;
        self
    }

    /// Names the default namespace, in place of the path in its [normal form](crate::normal_path).
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Says what the [normal form](crate::normal_path) of the request's path is, for a resolver that knows
    /// it: it is not computed again.
    #[must_use]
    pub fn normal_path(mut self, path: Cow<'_, str>) -> Self {
        match path {
            Cow::Borrowed(_) => self.path_is_normal = true,
            Cow::Owned(path) => self.namespace = Some(Arc::from(path)),
        }
        self
    }

    /// Adds the route's pattern, name and settings. Made once per route, so that its peers share
    /// them.
    #[must_use]
    pub fn settings(mut self, settings: &Arc<RouteSettings>) -> Self {
        self.settings = Some(Arc::clone(settings));
        self
    }

    /// Adds what runs before the `upgrade` hook, such as a router's layers.
    #[must_use]
    pub fn before(mut self, before: Arc<dyn BeforeUpgrade>) -> Self {
        self.before = Some(before);
        self
    }

    /// The hooks.
    pub fn hooks(&self) -> &Arc<H> {
        &self.hooks
    }

    /// This route to other hooks: for what wraps them.
    pub fn map<W: ?Sized>(self, wrap: impl FnOnce(Arc<H>) -> Arc<W>) -> Route<W> {
        Route {
            hooks: wrap(self.hooks),
            params: self.params,
            namespace: self.namespace,
            path_is_normal: self.path_is_normal,
            settings: self.settings,
            before: self.before,
        }
    }
}

impl<H: ?Sized> From<Arc<H>> for Route<H> {
    fn from(hooks: Arc<H>) -> Self {
        Self::new(hooks)
    }
}

impl<H: ?Sized> fmt::Debug for Route<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("params", &self.params)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What runs for a route before its `upgrade` hook: what a resolver does that may wait, such as
/// asking who the user is.
///
/// A resolver itself runs before anything is known of the request. This runs when the request is
/// known to be let in by the origin and the limits, within the route's deadline for the upgrade, and
/// with the route's parameters in the request. A panic is a 500.
///
/// It runs again where the hooks are asked for again: see [`Resolve::resolve`].
pub trait BeforeUpgrade: MaybeSend + MaybeSync + 'static {
    /// Looks at the request, and attaches values to it or refuses it.
    ///
    /// # Errors
    /// The response to refuse with.
    fn run<'a>(&'a self, request: &'a mut UpgradeRequest) -> BoxFuture<'a, Result<(), Rejection>>;
}

/// A resolver of any type behind a pointer: `Arc<dyn DynResolve>` is itself a [`Resolve`].
///
/// Implemented for all resolvers, and by nobody by hand. Its future is boxed once per connection, and
/// each hook's with every call, as [`DynHooks`] says.
///
/// ```
/// # use std::sync::Arc;
/// # use crossws_core::{DynResolve, Resolve, hooks};
/// fn app(maintenance: bool) -> Arc<dyn DynResolve> {
///     match maintenance {
///         true => Arc::new(hooks().on_open(|peer| async move { peer.send("back soon") })),
///         false => Arc::new(hooks().on_message(|peer, message| async move { peer.send(message) })),
///     }
/// }
/// fn serve(_: impl Resolve) {}
/// serve(app(true));
/// ```
pub trait DynResolve: MaybeSend + MaybeSync + 'static {
    /// [`Resolve::resolve`], boxed.
    fn resolve_dyn<'a>(
        self: Arc<Self>,
        request: &'a mut UpgradeRequest,
    ) -> BoxFuture<'a, Resolution<dyn DynHooks>>;

    /// [`Resolve::start`], boxed.
    fn start_dyn<'a>(self: Arc<Self>, hub: &'a Hub) -> BoxFuture<'a, HookResult>;
}

impl<R: Resolve> DynResolve for R {
    fn resolve_dyn<'a>(
        self: Arc<Self>,
        request: &'a mut UpgradeRequest,
    ) -> BoxFuture<'a, Resolution<dyn DynHooks>> {
        Box::pin(async move {
            match self.resolve(request).await {
                Resolution::Route(route) => Resolution::Route(route.map(SharedHooks::erase)),
                Resolution::Pass => Resolution::Pass,
                Resolution::Reject(rejection) => Resolution::Reject(rejection),
            }
        })
    }

    fn start_dyn<'a>(self: Arc<Self>, hub: &'a Hub) -> BoxFuture<'a, HookResult> {
        Box::pin(async move { Resolve::start(&self, hub).await })
    }
}

impl Resolve for Arc<dyn DynResolve> {
    type Hooks = dyn DynHooks;

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        Arc::clone(&**self).start_dyn(hub).await
    }

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<dyn DynHooks> {
        Arc::clone(&**self).resolve_dyn(request).await
    }
}

/// A resolver that passes every request on to the HTTP service: for an application whose sockets are routes
/// of that service, such as those of an axum app.
///
/// ```
/// # use crossws_core::{Resolve, pass};
/// fn serve(_: impl Resolve) {}
/// serve(pass());
/// ```
pub fn pass() -> Pass {
    Pass(())
}

/// See [`pass`].
#[derive(Debug, Clone, Default)]
pub struct Pass(());

impl Resolve for Pass {
    type Hooks = SharedHooks;

    async fn resolve(self: &Arc<Self>, _: &mut UpgradeRequest) -> Resolution<SharedHooks> {
        Resolution::Pass
    }
}

/// A shared resolver of any type, as a type of its own: what an acceptor in an app's state holds.
///
/// The compiler proves less about `Arc<dyn DynResolve>` inside generic futures than about this, as
/// with [`SharedHooks`] and `dyn DynHooks`.
#[derive(Clone)]
pub struct SharedResolver(Arc<dyn DynResolve>);

impl SharedResolver {
    /// Erases the type of this resolver, or of these hooks.
    pub fn new(resolver: impl Resolve) -> Self {
        Self(Arc::new(resolver))
    }
}

impl From<Arc<dyn DynResolve>> for SharedResolver {
    fn from(resolver: Arc<dyn DynResolve>) -> Self {
        Self(resolver)
    }
}

impl fmt::Debug for SharedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedResolver(..)")
    }
}

impl Resolve for SharedResolver {
    type Hooks = SharedHooks;

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        Arc::clone(&self.0).start_dyn(hub).await
    }

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<SharedHooks> {
        match Arc::clone(&self.0).resolve_dyn(request).await {
            Resolution::Route(route) => {
                Resolution::Route(route.map(|hooks| Arc::new(SharedHooks::from(hooks))))
            }
            Resolution::Pass => Resolution::Pass,
            Resolution::Reject(rejection) => Resolution::Reject(rejection),
        }
    }
}

/// A resolver from a function: `resolve_with(|req| (req.path() == "/ws").then(|| chat.clone()))`.
///
/// The function returns what [`IntoResolution`] is implemented for: hooks or a [`Route`], an
/// `Option` of them, a `Result` whose error refuses, or a [`Resolution`]. For a choice that
/// awaits, and for hooks with a `start` of their own, implement [`Resolve`].
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

impl<F> fmt::Debug for ResolveWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResolveWith(..)")
    }
}

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

/// What the function of [`resolve_with`] may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which hooks a request gets",
    label = "`Arc<hooks>`, a `Route`, an `Option` or `Result` of them, or a `Resolution` is expected"
)]
pub trait IntoResolution {
    /// The hooks.
    type Hooks: Hooks + ?Sized;

    /// Converts into a resolution.
    fn into_resolution(self) -> Resolution<Self::Hooks>;
}

impl<H: Hooks + ?Sized> IntoResolution for Resolution<H> {
    type Hooks = H;

    fn into_resolution(self) -> Self {
        self
    }
}

impl<H: Hooks + ?Sized> IntoResolution for Route<H> {
    type Hooks = H;

    fn into_resolution(self) -> Resolution<H> {
        self.into()
    }
}

impl<H: Hooks + ?Sized> IntoResolution for Arc<H> {
    type Hooks = H;

    fn into_resolution(self) -> Resolution<H> {
        self.into()
    }
}

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
