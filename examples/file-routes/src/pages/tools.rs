//! A page with tools, and the sockets beside it: `/_socket/tools/terminal`.

use crossws::{Handler, IncomingExt, Json, handler};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Input {
    Data { data: String },
    Exit,
}

/// Gives back what it is given, until `exit`.
pub(crate) fn socket_terminal() -> Handler {
    handler(|peer, incoming| async move {
        let mut inputs = incoming.json::<Input>();
        while let Some(input @ Input::Data { .. }) = inputs.next().await {
            peer.send(Json(input))?;
        }
        Ok(())
    })
}
