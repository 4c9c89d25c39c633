//! `/api/ws/files/{*rest}`

use crossws::prelude::*;

pub fn hooks() -> impl Hooks {
    crossws::hooks().on_open(|peer: Peer| async move {
        let rest: String = peer.path()?;
        crate::greet(&peer, "file", &rest)
    })
}
