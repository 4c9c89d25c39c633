//! `/api/ws/rooms/{id}`

use crossws::prelude::*;

struct Room;

impl Hooks for Room {
    async fn open(&self, peer: &Peer) -> HookResult {
        let id: String = peer.path()?;
        crate::greet(peer, "room", &id)
    }
}

pub fn hooks() -> impl Hooks {
    Room
}
