//! `/api/ws`

use crossws::Hooks;

pub fn hooks() -> impl Hooks {
    crossws::hooks().on_message(|peer, message| async move {
        peer.send(format!("[root] Echo: {message}"))
    })
}
