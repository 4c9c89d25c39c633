use crossws_core::Peer;
use serde::Serialize;

#[derive(Serialize)]
struct Said {
    text: String,
}

fn say(peer: &Peer, said: Said) {
    let _ = peer.send(said);
}

fn main() {}
