//! The shortest Cloudflare Worker: an app, and one Durable Object for each of its rooms.
//!
//!     npx wrangler dev
//!
//! What one client of `ws://127.0.0.1:8787/rooms/lobby` sends, all others there receive.

use crossws::{Message, Peer, Router, hooks, ok, route};

crossws::worker::serve! { pub struct Rooms => app() }

fn app() -> Router {
    let room = hooks()
        .on_open(|peer: Peer| async move {
            peer.send(format!("here are {}", peer.peers().len()))?;
            ok()
        })
        .on_message(|peer: Peer, message: Message| async move {
            peer.publish("talk", message)?;
            ok()
        });
    Router::new().route("/rooms/{room}", route(room).topic("talk"))
}
