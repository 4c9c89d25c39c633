//! Hooks from closures: a chat of one room in a few lines.
//!
//!     cargo run --example closures
//!     npx wscat --connect ws://127.0.0.1:3000     (in two terminals)
//!
//! Each is greeted, hears what the other says, and is told how many heard its own words.

use std::io;

use crossws::{hooks, ok};

#[tokio::main]
async fn main() -> io::Result<()> {
    let chat = hooks()
        .on_open(|peer| async move {
            peer.send("welcome")?;
            peer.broadcast(format!("{peer} is here"))?;
            ok()
        })
        .on_message(|peer, message| async move {
            let told = peer.broadcast(format!("{peer}: {message}"))?;
            peer.send(format!("{} heard you", told.queued))?;
            ok()
        })
        .on_close(|peer, closed| async move {
            let line = format!("{peer} left ({} {})", closed.code, closed.reason);
            peer.broadcast(line)
        });
    println!("ws://127.0.0.1:3000");
    crossws::tokio::serve("127.0.0.1:3000", chat).await
}
