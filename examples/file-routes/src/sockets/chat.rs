//! `/api/ws/chat`, with settings and a name of its own.

use crossws::prelude::*;

struct Chat;

impl Hooks for Chat {
    async fn open(&self, peer: &Peer) -> HookResult {
        peer.send(format!("chat of {}", peer.topics().concat()))?;
        Ok(())
    }
}

pub fn hooks() -> impl crossws::IntoRoute {
    route(Chat).topic("general").name("talk")
}
