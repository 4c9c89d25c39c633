use crate::closure_hooks;
use crate::hooks::Hooks;
use crate::message::Message;
use crate::peer::Peer;

/// Creates hooks from closures, for small apps and tests.
///
/// Closures take an owned [`Peer`] and return nothing or any `Result`. One that uses `?` ends in
/// [`ok()`](crate::ok), which names the type of the error. Each call boxes its future; if that matters,
/// implement [`Hooks`] for a type instead.
///
/// ```
/// let echo = crossws_core::hooks()
///     .on_open(|peer| async move { peer.subscribe("news") })
///     .on_message(|peer, message| async move { peer.send(message) });
/// # let _: &dyn crossws_core::DynHooks = &echo;
/// ```
pub fn hooks() -> HooksBuilder {
    HooksBuilder::default()
}

closure_hooks! {
    /// See [`hooks`].
    #[must_use = "hooks do nothing until a server runs them"]
    pub struct HooksBuilder[] where [];
    impl Hooks with Peer, Message, std::convert::identity, {}
}
