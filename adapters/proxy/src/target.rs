use std::future::ready;

use crossws_core::{BoxFuture, MaybeSend, MaybeSync, Rejection, UpgradeRequest};
use http::Uri;

/// A target without its type.
pub(crate) trait Target: MaybeSend + MaybeSync {
    /// Returns the URL for this request, or the refusal that its client gets.
    fn find(&self, request: &UpgradeRequest) -> BoxFuture<'static, Result<String, Rejection>>;
}

/// What [`Proxy::to`](crate::Proxy::to) takes: a URL (`ws`, `wss`, `http`, `https`, or
/// `ws+unix:FILE:PATH`), or a function of the request that returns one, sync or async.
///
/// A function may return a `Result`, whose error is the refusal that the client gets: a
/// [`Rejection`], a status, or anything else that converts into one.
///
/// ```
/// use crossws_core::UpgradeRequest;
/// use crossws_proxy::Proxy;
///
/// let fixed = Proxy::to("ws://10.0.0.7:9000/rooms");
/// let chosen = Proxy::to(|request: UpgradeRequest| format!("ws://rooms.internal{}", request.path()))
///     .allow_hosts(["rooms.internal"]);
/// # let _ = (fixed, chosen);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the target of a proxy",
    note = "a target is a string, a `Uri`, a function of `UpgradeRequest` that returns one, or an async function",
    note = "a closure's parameter may need its type: `|request: UpgradeRequest| ..`"
)]
pub trait IntoTarget<Marker> {
    /// Whether the URL is the same for every client, so that the application vouches for it.
    #[doc(hidden)]
    const FIXED: bool;

    /// Removes the type.
    #[doc(hidden)]
    fn into_target(self) -> FoundTarget;
}

/// A target, whose type was removed.
#[allow(missing_debug_implementations)]
#[non_exhaustive]
pub struct FoundTarget(pub(crate) Box<dyn Target>);

/// A result of a target's function: a URL, or the refusal that the client gets. See [`IntoTarget`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the URL of a target",
    note = "return a `String`, a `&'static str`, a `Uri`, or a `Result` of one, whose error converts into a `Rejection`"
)]
pub trait IntoUrl {
    /// Converts the result.
    ///
    /// # Errors
    /// The function's own.
    fn into_url(self) -> Result<String, Rejection>;
}

impl IntoUrl for String {
    fn into_url(self) -> Result<String, Rejection> {
        Ok(self)
    }
}

impl IntoUrl for &'static str {
    fn into_url(self) -> Result<String, Rejection> {
        Ok(self.to_owned())
    }
}

impl IntoUrl for Uri {
    fn into_url(self) -> Result<String, Rejection> {
        Ok(self.to_string())
    }
}

impl<U: IntoUrl, E: Into<Rejection>> IntoUrl for Result<U, E> {
    fn into_url(self) -> Result<String, Rejection> {
        self.map_err(E::into)?.into_url()
    }
}

/// Marks a URL that never changes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fixed;

/// Marks a function.
#[derive(Debug)]
#[non_exhaustive]
pub struct Called<U>(std::marker::PhantomData<U>);

/// Marks an async function.
#[derive(Debug)]
#[non_exhaustive]
pub struct Awaited<F>(std::marker::PhantomData<F>);

/// A fixed URL. It needs no copy of the request.
struct Url(String);

impl Target for Url {
    fn find(&self, _: &UpgradeRequest) -> BoxFuture<'static, Result<String, Rejection>> {
        Box::pin(ready(Ok(self.0.clone())))
    }
}

struct Wait<F>(F);

impl<F, Fut> Target for Wait<F>
where
    F: Fn(UpgradeRequest) -> Fut + MaybeSend + MaybeSync,
    Fut: Future<Output: IntoUrl> + MaybeSend + 'static,
{
    fn find(&self, request: &UpgradeRequest) -> BoxFuture<'static, Result<String, Rejection>> {
        let url = (self.0)(request.clone());
        Box::pin(async { url.await.into_url() })
    }
}

impl IntoTarget<Fixed> for &str {
    const FIXED: bool = true;

    fn into_target(self) -> FoundTarget {
        self.to_owned().into_target()
    }
}

impl IntoTarget<Fixed> for String {
    const FIXED: bool = true;

    fn into_target(self) -> FoundTarget {
        FoundTarget(Box::new(Url(self)))
    }
}

impl IntoTarget<Fixed> for Uri {
    const FIXED: bool = true;

    fn into_target(self) -> FoundTarget {
        self.to_string().into_target()
    }
}

impl<F, U> IntoTarget<Called<U>> for F
where
    F: Fn(UpgradeRequest) -> U + MaybeSend + MaybeSync + 'static,
    U: IntoUrl + 'static,
{
    const FIXED: bool = false;

    fn into_target(self) -> FoundTarget {
        let find = move |request| ready(self(request).into_url());
        FoundTarget(Box::new(Wait(find)))
    }
}

impl<F, Fut> IntoTarget<Awaited<Fut>> for F
where
    F: Fn(UpgradeRequest) -> Fut + MaybeSend + MaybeSync + 'static,
    Fut: Future<Output: IntoUrl> + MaybeSend + 'static,
{
    const FIXED: bool = false;

    fn into_target(self) -> FoundTarget {
        FoundTarget(Box::new(Wait(self)))
    }
}
