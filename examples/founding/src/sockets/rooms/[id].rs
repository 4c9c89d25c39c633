//! `/api/ws/rooms/{id}`

use crossws::{Hooks, Json, PeerExt};
use serde_json::{Value, json};

pub fn hooks() -> impl Hooks {
    crossws::hooks().on_open(|peer| async move {
        let (params, query): (Value, Value) = (peer.path()?, peer.query()?);
        let path = peer.request().path();
        peer.send(Json(json!({ "params": params, "path": path, "query": query })))?;
        crossws::ok()
    })
}
