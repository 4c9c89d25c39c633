//! What hooks return.

use crate::bounds::{BoxError, MaybeSend};

/// What a hook returns: nothing, or any error. See [`Hooks`](crate::Hooks).
pub type HookResult = Result<(), BoxError>;

/// Returns `Ok(())` as hooks return it: the last line of a closure that uses `?` and has no other
/// annotation of its error type.
///
/// ```
/// let app = crossws_core::hooks().on_open(|peer| async move {
///     peer.subscribe("news")?;
///     peer.send("welcome")?;
///     crossws_core::ok()
/// });
/// # let _: &dyn crossws_core::DynHooks = &app;
/// ```
#[allow(clippy::missing_errors_doc, clippy::unnecessary_wraps)] // there are none
pub fn ok() -> HookResult {
    Ok(())
}

/// The output of a closure or a spawned future: nothing, or a `Result`, whose error reaches the
/// `error` hook. If a closure ends in `Ok(())` and the type of its error is ambiguous, end it in
/// `ok()`: see [`ok`].
#[diagnostic::on_unimplemented(
    message = "a hook cannot return `{Self}`",
    label = "nothing, or a `Result`, is expected",
    note = "the error of the `Result` must convert into `Box<dyn Error + Send + Sync>`"
)]
pub trait HookOutput: MaybeSend + 'static {
    /// Converts into a hook's result.
    fn into_hook_result(self) -> HookResult;
}

impl HookOutput for () {
    fn into_hook_result(self) -> HookResult {
        Ok(())
    }
}

impl<T, E> HookOutput for Result<T, E>
where
    T: MaybeSend + 'static,
    E: Into<BoxError> + MaybeSend + 'static,
{
    fn into_hook_result(self) -> HookResult {
        self.map(drop).map_err(Into::into)
    }
}
