pub(crate) mod dynamic;
pub(crate) mod function;
pub(crate) mod route;

use std::sync::Arc;

use crate::bounds::{BoxFuture, MaybeSend, MaybeSync};

use crate::hooks::Hooks;
use crate::hooks::dyn_hooks::SharedHooks;
use crate::hooks::output::HookResult;
use crate::hub::Hub;
use crate::upgrade::rejection::Rejection;
use crate::upgrade::request::UpgradeRequest;
use crate::upgrade::resolve::route::Route;

/// Chooses the hooks for a request, once per connection.
///
/// All hooks resolve to themselves, so that a single app is passed as it is, and its hooks are
/// called without a table or a box in between. For several apps of different types, resolve to
/// [`SharedHooks`](crate::SharedHooks) or `dyn DynHooks`. For a function, see
/// [`resolve_with`](crate::resolve_with); for a resolver with an erased type
/// [`DynResolve`](crate::DynResolve); for one that is replaced while the server runs
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
    /// The type of the resolved hooks.
    type Hooks: Hooks + ?Sized;

    /// Chooses the hooks for this request. Every hook can read the values that it
    /// [attaches](UpgradeRequest::attach) to the request.
    ///
    /// It runs again, on the stored request, when a sleeping object wakes and its peers' hooks are
    /// needed.
    fn resolve(
        self: &Arc<Self>,
        request: &mut UpgradeRequest,
    ) -> impl Future<Output = Resolution<Self::Hooks>> + MaybeSend;

    /// Runs the `start` hook of every application that this may resolve to, once each: see
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

/// A resolver's decision about a request.
///
/// ```
/// # use std::sync::Arc;
/// # use crossws_core::{Hooks, Rejection, Resolution, Route, UpgradeRequest};
/// use http::StatusCode;
///
/// fn choose<H: Hooks>(chat: &Arc<H>, request: &UpgradeRequest) -> Resolution<H> {
///     match request.path() {
///         "/chat" => Route::new(Arc::clone(chat)).into(),
///         "/chat/v1" => Rejection::from(StatusCode::GONE).into(),
///         _ => Resolution::Pass,
///     }
/// }
/// ```
#[derive(Debug)]
// Exhaustive on purpose: a request is claimed, passed on, or refused.
#[allow(clippy::exhaustive_enums)]
pub enum Resolution<H: ?Sized> {
    /// These hooks claim the request.
    Route(Route<H>),
    /// No hooks claim the request: it goes to the HTTP service; without one the client gets a 404.
    Pass,
    /// The request is refused with this response.
    Reject(Rejection),
}

impl<H: ?Sized> Resolution<H> {
    /// Returns this resolution with other hooks.
    pub(crate) fn map<W: ?Sized>(self, wrap: impl FnOnce(Arc<H>) -> Arc<W>) -> Resolution<W> {
        match self {
            Self::Route(route) => Resolution::Route(route.map(wrap)),
            Self::Pass => Resolution::Pass,
            Self::Reject(rejection) => Resolution::Reject(rejection),
        }
    }
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

/// Runs for a route before its `upgrade` hook: the part of a resolver that may wait, such as
/// identifying the user.
///
/// A resolver itself runs before any check of the request. This runs once the origin and the limits
/// admit the request, within the route's deadline for the upgrade, and with the route's parameters
/// in the request. A panic is a 500.
///
/// It runs again when the hooks are resolved again: see [`Resolve::resolve`].
///
/// ```
/// # use crossws_core::*;
/// struct AdminOnly;
///
/// impl BeforeUpgrade for AdminOnly {
///     fn run<'a>(&'a self, request: &'a mut UpgradeRequest) -> BoxFuture<'a, Result<(), Rejection>> {
///         Box::pin(async move {
///             match request.header("x-admin") {
///                 Some(_) => Ok(()),
///                 None => Err(http::StatusCode::FORBIDDEN.into()),
///             }
///         })
///     }
/// }
/// ```
pub trait BeforeUpgrade: MaybeSend + MaybeSync + 'static {
    /// Inspects the request, and attaches values to it or refuses it.
    ///
    /// # Errors
    /// The response to refuse with.
    fn run<'a>(&'a self, request: &'a mut UpgradeRequest) -> BoxFuture<'a, Result<(), Rejection>>;
}

/// Creates a resolver that passes every request on to the HTTP service: for an application whose
/// sockets are routes of that service, such as those of an axum app.
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
