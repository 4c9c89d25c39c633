use crossws_app::{Router, route};
use crossws_core::{Message, Peer};

struct Chat;

fn main() {
    let echo = |peer: Peer, message: Message| async move { peer.send(message) };
    let _ = Router::new()
        .route("/echo", echo)
        .route("/chat", route(Chat))
        .route("/admin", Router::new());
}
