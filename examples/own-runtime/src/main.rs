//! Echoes on a runtime of its own.
//!
//!     cargo run -p crossws-own-runtime
//!     npx wscat --connect ws://127.0.0.1:3000

use std::io;

fn main() -> io::Result<()> {
    let echo = crossws_core::hooks().on_message(|peer, message| async move { peer.send(message) });
    println!("ws://127.0.0.1:3000");
    crossws_own_runtime::block_on(crossws_own_runtime::serve("127.0.0.1:3000", echo))
}
