//! The other handler style: a loop that owns its connection, here a game that keeps its state in
//! local variables.
//!
//!     cargo run --example handler
//!     npx wscat --connect ws://127.0.0.1:3000
//!
//! Think of a number; the server finds it. Answer `higher`, `lower` or `yes`.

use std::io;

use crossws::{CloseCode, handler};

#[tokio::main]
async fn main() -> io::Result<()> {
    let game = handler(|peer, mut incoming| async move {
        peer.send("Think of a number from 1 to 100. I say one: higher, lower, or yes?")?;
        let (mut low, mut high) = (1, 100);
        while low <= high {
            let guess = low + (high - low) / 2;
            peer.send(format!("{guess}?"))?;
            // `None`: the client has disconnected, or the server stops.
            let Some(answer) = incoming.next().await else {
                return Ok(());
            };
            match answer.text()?.trim() {
                "higher" => low = guess + 1,
                "lower" => high = guess - 1,
                "yes" => {
                    peer.close(CloseCode::NORMAL, format!("it was {guess}"));
                    return Ok(());
                }
                _ => {
                    peer.send("higher, lower, or yes?")?;
                }
            }
        }
        // The connection closes with 1000 when the loop returns.
        peer.send("There is no such number.")?;
        Ok(())
    });
    println!("ws://127.0.0.1:3000");
    crossws::tokio::serve("127.0.0.1:3000", game).await
}
