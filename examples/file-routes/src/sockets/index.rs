//! `/api/ws`

use crossws::Hooks;

pub fn hooks() -> impl Hooks {
    crossws::hooks().on_open(|peer| async move { peer.send("root") })
}
