use std::future::ready;

use crate::bounds::{MaybeSend, OnceCallback};
use crate::hooks::handler::incoming::Over;
use crate::hooks::output::{HookOutput, HookResult};
use crate::hooks::setters::boxed;
use crate::message::close::{CloseCode, CloseFrame, Closed};
use crate::opaque_debug;
use crate::peer::Peer;

/// What happens to a connection whose loop has returned: the return value of a
/// [`handler`](crate::handler)'s function. `()`, a [`CloseCode`] and a [`CloseFrame`] convert into
/// it.
///
/// ```
/// # use crossws_core::*;
/// # let _: Handler =
/// handler(|_, mut incoming| async move {
///     match incoming.next().await {
///         Some(_) => Ok(HandlerEnd::KeepOpen),
///         None => Ok(CloseCode::AWAY.into()),
///     }
/// });
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum HandlerEnd {
    /// The connection is closed with 1000.
    #[default]
    Close,
    /// The connection is closed with this frame.
    CloseWith(CloseFrame),
    /// The connection stays open, for the tasks that hold the peer. Messages that arrive are
    /// discarded, unless other code reads [`Incoming`](crate::Incoming).
    KeepOpen,
    /// The connection stays open as with `KeepOpen`. The cleanup runs when it has ended: see
    /// [`keep_open`] and [`keep_open_then`].
    KeepOpenUntil(Cleanup),
}

/// Keeps the connection open after the loop has returned, and holds this value until the connection
/// has ended. The value's destructor is the cleanup, and runs exactly once, however the connection
/// ends.
///
/// ```
/// # use crossws_core::{Handler, Peer, handler, keep_open};
/// # struct Listener; fn listen(_: Peer) -> Listener { Listener }
/// let notifications: Handler = handler(|peer, _| async move {
///     let listener = listen(peer); // calls `peer.send`, and stops when it is dropped
///     Ok(keep_open(listener))
/// });
/// ```
pub fn keep_open<G: MaybeSend + 'static>(guard: G) -> HandlerEnd {
    keep_open_then(|_| {
        drop(guard);
        ready(())
    })
}

/// Keeps the connection open after the loop has returned, and calls this function once, when the
/// connection has ended, with how it ended. A failure reaches the `error` hook.
///
/// If a shutdown's deadline passes, or the server is dropped, the function is dropped without a
/// call. Cleanup that must happen in any case belongs into a destructor ([`keep_open`]).
///
/// ```
/// # use crossws_core::{Closed, Handler, handler, keep_open_then};
/// let counted: Handler = handler(|peer, _| async move {
///     peer.send("welcome")?;
///     Ok(keep_open_then(|closed: Closed| async move { println!("{:?}", closed.by) }))
/// });
/// ```
pub fn keep_open_then<F, Fut>(cleanup: F) -> HandlerEnd
where
    F: FnOnce(Closed) -> Fut + MaybeSend + 'static,
    Fut: Future<Output: HookOutput> + MaybeSend + 'static,
{
    HandlerEnd::KeepOpenUntil(Cleanup(Box::new(|closed| boxed(cleanup(closed)))))
}

/// The cleanup of a connection whose loop has returned: see [`keep_open`] and [`keep_open_then`].
/// Dropping it drops its value or function.
pub struct Cleanup(OnceCallback<Closed, HookResult>);

impl HandlerEnd {
    /// Closes the connection, or waits for its end.
    pub(super) async fn apply<M>(self, peer: &Peer, over: &Over<M>) -> HookResult {
        match self {
            Self::Close => peer.close(CloseCode::NORMAL, ""),
            Self::CloseWith(frame) => peer.close_frame(frame),
            Self::KeepOpen => drop(over.closed().await),
            Self::KeepOpenUntil(cleanup) => return (cleanup.0)(over.closed().await).await,
        }
        Ok(())
    }
}

impl From<()> for HandlerEnd {
    fn from((): ()) -> Self {
        Self::Close
    }
}

impl From<CloseFrame> for HandlerEnd {
    fn from(frame: CloseFrame) -> Self {
        Self::CloseWith(frame)
    }
}

impl From<CloseCode> for HandlerEnd {
    fn from(code: CloseCode) -> Self {
        Self::CloseWith(code.into())
    }
}

opaque_debug!(Cleanup);
