//! When a connection's next message waits for other clients: see [`pace`].

use super::Link;
use crate::driver::pace;
use crate::runtime::Runtime;
use crate::runtime::io::Io;

impl<I: Io, R: Runtime> Link<I, R> {
    /// Returns whether a hook has let other connections' queues grow, so that the turn is over and
    /// [`pace`](Self::pace) must be called before the next message.
    #[inline]
    pub(crate) fn must_pace(&self) -> bool {
        self.grown.is_some()
    }

    /// Returns whether the next step is a message that must wait for clients to whom its hook may
    /// write, so that [`pace`](Self::pace) must be called.
    #[inline]
    pub(crate) fn must_wait_for_others(&self, is_message: bool) -> bool {
        let others = self.connection.events();
        is_message && others.is_some_and(|others| others.must_wait(!self.has_spoken))
    }

    /// Notes that a message of the client reaches its hook.
    #[inline]
    pub(crate) fn note_spoken(&mut self) {
        self.has_spoken = true;
    }

    /// Waits for the clients that were sent more than they take. The socket runs meanwhile.
    pub(crate) async fn pace(&mut self) {
        let mut grown = self.grown.take();
        let Some(others) = self.connection.events().cloned() else {
            return;
        };
        let others = move || others.must_wait(true);
        if !pace::must_wait(&mut grown) && !others() {
            return;
        }
        let wait = pace::wait(grown, others, self.runtime.clone());
        self.beside(Box::pin(wait)).await;
    }
}
