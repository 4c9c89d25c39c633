use crossws_core::Message;

use super::{Connection, wake};

/// Requests of one connection whose message may be on its way, or wait for room, at once. Each may hold
/// a message of the largest size.
const MOST_POSTS: usize = 16;

/// A request with a message from the client.
pub(crate) struct Post<'a>(&'a Connection);

impl Connection {
    /// Begins a request with a message, before its body is read. `None` if there are too many.
    pub(crate) fn begin_post(&self) -> Option<Post<'_>> {
        let mut state = self.lock();
        if state.posts >= MOST_POSTS {
            return None;
        }
        state.posts += 1;
        Some(Post(self))
    }
}

impl Post<'_> {
    /// Queues the message, in order, when there is room for it. Returns `false` if the connection is
    /// over.
    pub(crate) async fn receive(self, message: Message) -> bool {
        let connection = self.0;
        loop {
            let listener = connection.changed.listen();
            {
                let mut state = connection.lock();
                if state.is_ending() {
                    return false;
                }
                if state.has_room(message.len(), &connection.settings.limits) {
                    state.inbound_bytes += message.len();
                    state.inbound.push_back(message);
                    state.was_heard = true;
                    let wakers = [state.driver.take()];
                    drop(state);
                    wake(wakers);
                    return true;
                }
            }
            listener.await;
        }
    }
}

impl Drop for Post<'_> {
    fn drop(&mut self) {
        self.0.lock().posts -= 1;
    }
}
