use std::error::Error as _;
use std::fmt;

use crossws_core::{Error, ErrorKind, HookKind, Hooks, Json, OnError, Peer, Wrap, Wrapped, wrap};

use crate::codec::ErrorMessage;

/// Hooks whose errors the client is told: `{"type":"error","message":TEXT}` with the text of the error
/// that a hook returned, and the connection stays.
///
/// By default a client is told nothing of an error but the code 1011, because its text may say what is
/// none of the client's business. For a route there is
/// [`RouteBuilder::reply_errors`](crate::RouteBuilder::reply_errors), for all routes of a router
/// [`Router::reply_errors`](crate::Router::reply_errors).
///
/// The `error` hook inside hears every error as before, and logs it by default. What it returns counts
/// for a panic, for a client that broke the protocol, and for a loop or a task that failed: a client is
/// told of the latter, and closed as the `error` hook says.
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
            // A peer that has left needs no answer.
            let _ = peer.send(Json(ErrorMessage::new(&source.to_string())));
        }
        let decision = self.hooks.error(peer, error).await;
        match hook {
            // Without its loop the connection would have nobody.
            HookKind::Task => decision,
            _ => OnError::Keep,
        }
    }
}

impl<H> fmt::Debug for ReplyErrors<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyErrors(..)")
    }
}
