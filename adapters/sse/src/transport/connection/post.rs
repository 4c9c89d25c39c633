use crossws_core::{Limits, Message};
use crossws_proto::connection::admits_inbound;

use super::{Connection, State};

/// Requests of one connection whose message may be on its way, or wait for room, at once. Each may hold
/// a message of the largest size.
const MOST_POSTS: usize = 16;

/// A request with a message from the client.
pub(crate) struct Post<'a> {
    connection: &'a Connection,
    /// The message is there, and has found no room.
    waits: bool,
}

impl Connection {
    /// Begins a request with a message, before its body is read. `None` if there are too many.
    pub(crate) fn begin_post(&self) -> Option<Post<'_>> {
        let mut state = self.state.lock();
        if state.posts >= MOST_POSTS {
            return None;
        }
        state.posts += 1;
        Some(Post {
            connection: self,
            waits: false,
        })
    }

    /// Returns whether the client has sent a message since the last call, or one waits for room: then its
    /// silence says nothing about it.
    pub(crate) fn take_heard(&self) -> bool {
        let mut state = self.state.lock();
        std::mem::take(&mut state.was_heard) || state.waiting_posts > 0
    }
}

impl State {
    /// Returns whether one more message may wait for its hook.
    fn has_room(&self, limits: &Limits) -> bool {
        admits_inbound(limits, self.inbound.len(), self.inbound_bytes)
    }
}

impl Post<'_> {
    /// Queues the message, in order, when there is room for it. Returns `false` if the connection is
    /// over.
    pub(crate) async fn receive(mut self, message: Message) -> bool {
        let connection = self.connection;
        loop {
            let listener = connection.changed.listen();
            {
                let mut state = connection.state.lock();
                if state.is_ending() {
                    return false;
                }
                if state.has_room(&connection.settings.limits) {
                    state.inbound_bytes += message.len();
                    state.inbound.push_back(message);
                    state.was_heard = true;
                    drop(state);
                    connection.wake_pump();
                    return true;
                }
                if !std::mem::replace(&mut self.waits, true) {
                    state.waiting_posts += 1;
                }
            }
            listener.await;
        }
    }
}

impl Drop for Post<'_> {
    fn drop(&mut self) {
        let mut state = self.connection.state.lock();
        state.posts -= 1;
        if self.waits {
            state.waiting_posts -= 1;
            // The client's silence begins now, also if the message has not been taken.
            state.was_heard = true;
            drop(state);
            self.connection.wake_pump();
        }
    }
}
