//! `/api/ws/chat`

use crossws::Hooks;

use crate::api::Cleanups;

pub fn hooks() -> impl Hooks {
    crossws::hooks()
        .on_message(|peer, message| async move { peer.send(format!("[chat] Echo: {message}")) })
        .on_close(|peer, _| async move { Cleanups::of(peer.hub()).chat.up() })
}
