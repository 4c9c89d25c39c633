//! `/api/ws/files/{*rest}`

use crossws::{Hooks, Json, PeerExt};
use serde_json::{Value, json};

pub fn hooks() -> impl Hooks {
    crossws::hooks().on_open(|peer| async move {
        let params: Value = peer.path()?;
        peer.send(Json(json!({ "params": params })))?;
        crossws::ok()
    })
}
