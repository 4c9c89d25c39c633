//! A client in the terminal: prints what arrives, sends what is typed, and reconnects.
//!
//!     cargo run -p chat                                             # or any other server
//!     cargo run --example client -- ws://127.0.0.1:3000/rooms/1

use std::error::Error;
use std::io::{BufRead, stdin};
use std::{env, thread};

use crossws::client::{Client, ClientHandle, Connect, Reconnect, connect};

fn room(url: &str) -> Connect {
    connect(url).reconnect(Reconnect::backoff())
}

/// Prints messages until the client ends.
async fn print(room: &mut Client, mut out: impl FnMut(&str)) {
    while let Some(message) = room.next().await {
        out(&message.to_string());
    }
}

/// Prints whether there is a connection.
async fn report(room: ClientHandle) {
    let mut states = room.statuses();
    while let Some(status) = states.next().await {
        eprintln!("{status:?}");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args()
        .nth(1)
        .unwrap_or("ws://127.0.0.1:3000/".to_owned());
    let mut room = room(&url).start()?;
    tokio::spawn(report(room.handle()));
    let typed = room.handle();
    thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if let Err(error) = typed.send(line) {
                eprintln!("{error}");
            }
        }
        typed.close(crossws::CloseCode::NORMAL, "");
    });
    print(&mut room, |message| println!("{message}")).await;
    // Such as a refusal.
    eprintln!("{}", room.closed().await);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crossws::memory::TestServer;
    use crossws::{CloseCode, hooks};

    #[tokio::test]
    async fn the_client_prints_until_the_server_is_done() -> Result<(), Box<dyn std::error::Error>>
    {
        let app = hooks()
            .on_open(|peer| async move { peer.send("welcome") })
            .on_message(|peer, message| async move {
                peer.send(message)?;
                peer.close(CloseCode::NORMAL, "enough");
                crossws::ok()
            });
        let mut room = super::room("ws://example.com/")
            .in_memory(&TestServer::new(app))
            .start()?;
        room.send("hello")?;
        let mut printed = Vec::new();
        super::print(&mut room, |message| printed.push(message.to_owned())).await;
        assert_eq!(printed, ["welcome", "hello"]);
        Ok(())
    }
}
