use crossws_core::{BoxError, MaybeSend, MaybeSync, Rejection, UpgradeRequest, opaque_debug};

use crate::auth::challenge::Challenge;
use crate::auth::token::NoToken;
use crate::layers::layer::Layer;

/// A function that identifies the client: `async fn(&UpgradeRequest)`, or a closure `async
/// |request: &UpgradeRequest| { … }`. See [`Router::authenticate`](crate::Router::authenticate).
///
/// Implemented for all of these, and not by hand. A closure that captures values clones them for
/// each request: see [`BeforeFn`](crate::BeforeFn).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that authenticates",
    label = "expected `async fn(&UpgradeRequest) -> Result<Option<User>, E>`",
    note = "it may return `bool`, `Option<User>`, or a `Result` of one of them"
)]
pub trait AuthenticateFn<'a>: Fn(&'a UpgradeRequest) -> Self::Future {
    /// What the function returns.
    type Future: Future<Output: Admission> + MaybeSend + 'a;
}

impl<'a, F, Fut> AuthenticateFn<'a> for F
where
    F: Fn(&'a UpgradeRequest) -> Fut,
    Fut: Future<Output: Admission> + MaybeSend + 'a,
{
    type Future = Fut;
}

/// What a function that authenticates returns. `true` or `Some(user)` admits the request, and the
/// user is attached to it. `false`, `None` and an error refuse it with 401.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// /// What a session store says.
/// enum Session {
///     Fresh,
///     Stale,
/// }
///
/// impl Admission for Session {
///     fn decide(self) -> Result<Admitted, Rejection> {
///         matches!(self, Session::Fresh).decide()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether a request is let in",
    label = "expected `bool`, `Option<User>`, or a `Result` of one of them",
    note = "return `Ok(Some(user))` to let the user in, and `Ok(None)` to refuse with 401"
)]
pub trait Admission {
    /// Returns the decision.
    ///
    /// # Errors
    /// The response to refuse with.
    fn decide(self) -> Result<Admitted, Rejection>;
}

impl Admission for bool {
    fn decide(self) -> Result<Admitted, Rejection> {
        match self {
            true => Ok(Admitted(None)),
            false => Err(Challenge::bearer().into()),
        }
    }
}

impl<T: MaybeSend + MaybeSync + 'static> Admission for Option<T> {
    fn decide(self) -> Result<Admitted, Rejection> {
        let Some(user) = self else {
            return Err(Challenge::bearer().into());
        };
        Ok(Admitted(Some(Box::new(|request| {
            request.attach(user);
        }))))
    }
}

impl<A: Admission, E: Into<BoxError>> Admission for Result<A, E> {
    fn decide(self) -> Result<Admitted, Rejection> {
        match self {
            Ok(admission) => admission.decide(),
            Err(error) => {
                let error = error.into();
                let challenge = error.downcast_ref::<NoToken>().copied();
                let challenge = challenge.map_or_else(Challenge::bearer, NoToken::challenge);
                Err(Rejection::from(challenge).with_source(error))
            }
        }
    }
}

/// An admitted request, with the value attached to it: see [`Admission`].
pub struct Admitted(Option<Attach>);

// Not the value itself: the function's output may borrow the request until here.
type Attach = Box<dyn FnOnce(&mut UpgradeRequest)>;

opaque_debug!(Admitted);

/// See [`Router::authenticate`](crate::Router::authenticate).
pub(crate) struct Authenticate<F>(pub(crate) F);

impl<F> Layer for Authenticate<F>
where
    F: for<'a> AuthenticateFn<'a> + MaybeSend + MaybeSync + 'static,
{
    async fn before(&self, request: &mut UpgradeRequest) -> Result<(), Rejection> {
        let admitted = (self.0)(request).await.decide()?;
        if let Some(attach) = admitted.0 {
            attach(request);
        }
        Ok(())
    }
}
