use std::future::ready;

use crossws_core::{BoxError, BoxFuture, MaybeSend, MaybeSync};
use http::Uri;

/// A provider without its type: see [`IntoProvider`].
pub trait Provider: MaybeSend + MaybeSync {
    /// Returns the text for the next try.
    fn provide(&self) -> BoxFuture<'static, Result<Option<String>, BoxError>>;
}

/// What a client asks for a URL or a token before each try: a text, or a function that returns one,
/// sync or async.
///
/// ```
/// # async fn sign_in() -> Result<String, std::io::Error> { Ok("token".to_owned()) }
/// use crossws_client::connect;
///
/// let fixed = connect("wss://example.com/rooms/1").token("secret");
/// let asked = connect(|| format!("wss://{}.example.com/rooms/1", "eu")).token(sign_in);
/// # let _ = (fixed, asked);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not provide a text",
    note = "a provider is a string, a function that returns one, or an async function",
    note = "the function may return an `Option` or a `Result` of a string"
)]
pub trait IntoProvider<Marker> {
    /// Removes the type.
    fn into_provider(self) -> Box<dyn Provider>;
}

/// A result of a provider: a text, `None` for no token, or an error. See [`IntoProvider`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a provided text",
    note = "return a `String`, a `&'static str`, or an `Option` or a `Result` of one"
)]
pub trait Provided {
    /// Converts the result.
    ///
    /// # Errors
    /// The provider's own.
    fn into_provided(self) -> Result<Option<String>, BoxError>;
}

impl Provided for String {
    fn into_provided(self) -> Result<Option<String>, BoxError> {
        Ok(Some(self))
    }
}

impl Provided for &'static str {
    fn into_provided(self) -> Result<Option<String>, BoxError> {
        Ok(Some(self.to_owned()))
    }
}

impl Provided for Uri {
    fn into_provided(self) -> Result<Option<String>, BoxError> {
        Ok(Some(self.to_string()))
    }
}

impl<P: Provided> Provided for Option<P> {
    fn into_provided(self) -> Result<Option<String>, BoxError> {
        self.map_or(Ok(None), P::into_provided)
    }
}

impl<P: Provided, E: Into<BoxError>> Provided for Result<P, E> {
    fn into_provided(self) -> Result<Option<String>, BoxError> {
        self.map_err(E::into)?.into_provided()
    }
}

/// Marks a text that never changes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fixed;

/// Marks a function.
#[derive(Debug)]
#[non_exhaustive]
pub struct Called<P>(std::marker::PhantomData<P>);

/// Marks an async function.
#[derive(Debug)]
#[non_exhaustive]
pub struct Awaited<F>(std::marker::PhantomData<F>);

struct Wait<F>(F);

impl<F, Fut> Provider for Wait<F>
where
    F: Fn() -> Fut + MaybeSend + MaybeSync,
    Fut: Future<Output: Provided> + MaybeSend + 'static,
{
    fn provide(&self) -> BoxFuture<'static, Result<Option<String>, BoxError>> {
        let text = (self.0)();
        Box::pin(async move { text.await.into_provided() })
    }
}

impl IntoProvider<Fixed> for &str {
    fn into_provider(self) -> Box<dyn Provider> {
        self.to_owned().into_provider()
    }
}

impl IntoProvider<Fixed> for String {
    fn into_provider(self) -> Box<dyn Provider> {
        Box::new(Wait(move || ready(self.clone())))
    }
}

impl IntoProvider<Fixed> for Uri {
    fn into_provider(self) -> Box<dyn Provider> {
        self.to_string().into_provider()
    }
}

impl<F, P> IntoProvider<Called<P>> for F
where
    F: Fn() -> P + MaybeSend + MaybeSync + 'static,
    P: Provided + 'static,
{
    fn into_provider(self) -> Box<dyn Provider> {
        Box::new(Wait(move || ready(self().into_provided())))
    }
}

impl<F, Fut> IntoProvider<Awaited<Fut>> for F
where
    F: Fn() -> Fut + MaybeSend + MaybeSync + 'static,
    Fut: Future<Output: Provided> + MaybeSend + 'static,
{
    fn into_provider(self) -> Box<dyn Provider> {
        Box::new(Wait(self))
    }
}
