use crossws_app::rooms::{Wish, rooms};
use crossws_core::{Peer, hooks};

fn main() {
    let _ = rooms(hooks())
        .authorize("user/*", |wish: Wish| async move { wish.topic.is_empty() })
        .authorize("room/*", |_: Peer, _: Wish| async { "yes" });
}
