use std::error::Error as _;

use crossws_core::{
    Error, ErrorKind, HookKind, Hooks, Json, OnError, Peer, Wrap, Wrapped, opaque_debug, wrap,
};

use crate::codec::ErrorMessage;

/// Wraps hooks so that the client is told of their errors: `{"type":"error","message":TEXT}` with
/// the text of the error that a hook returned. The connection stays open.
///
/// By default a client learns only the code 1011 of an error, because the text may contain internal
/// details. For a route there is [`RouteBuilder::reply_errors`](crate::RouteBuilder::reply_errors),
/// for all routes of a router [`Router::reply_errors`](crate::Router::reply_errors).
///
/// The inner `error` hook gets every error as before, and logs it by default. Its decision counts
/// for a panic, for a client that broke the protocol, and for a loop or a task that failed: in the
/// last case the client is told, and closed as the `error` hook decides.
///
/// ```
/// use crossws_app::reply_errors;
/// use crossws_core::hooks;
///
/// let app = reply_errors(hooks().on_message(|peer, message| async move {
///     let number: u32 = message.json()?;
///     peer.send((number / 2).to_string())?;
///     crossws_core::ok()
/// }));
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
pub fn reply_errors<H: Hooks>(hooks: H) -> Wrapped<ReplyErrors<H>> {
    wrap(ReplyErrors { hooks })
}

/// See [`reply_errors`].
pub struct ReplyErrors<H> {
    hooks: H,
}

impl<H: Hooks> Wrap for ReplyErrors<H> {
    type Inner = H;

    fn inner(&self) -> &H {
        &self.hooks
    }

    async fn error(&self, peer: &Peer, error: Error) -> OnError {
        let ErrorKind::Hook(hook) = error.kind() else {
            return self.hooks.error(peer, error).await;
        };
        if let Some(source) = error.source() {
            // A peer that has left needs no reply.
            let message = &source.to_string();
            let _ = peer.send(Json(ErrorMessage { message }));
        }
        let decision = self.hooks.error(peer, error).await;
        match hook {
            // Without its loop no code would read the connection.
            HookKind::Task => decision,
            _ => OnError::Keep,
        }
    }
}

opaque_debug!(ReplyErrors<H>);
