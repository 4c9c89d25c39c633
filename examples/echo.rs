//! Sends every message back unchanged, and nothing else.
//!
//!     PORT=9001 cargo run --release --example echo
//!
//! `COMPLIANCE=1` sets the limits that conformance suites of the protocol need, and compresses for
//! clients that offer it.

use std::env;
use std::io;

use crossws::tokio::{Server, Shutdown, stop_signal};
use crossws::{Deflate, HookResult, Hooks, Hub, Limits, Message, Origin, Peer};

struct Echo;

impl Hooks for Echo {
    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        peer.send(message)?;
        Ok(())
    }
}

/// The limits for suites such as Autobahn's, whose largest message has 16 MiB. Any other server
/// keeps the defaults.
///
/// Only what such a suite needs is different, so that it tests the server that users run: a message
/// may have 16 MiB and 65,536 fragments, the queue holds its echo while as much is still being
/// written, and no ping is sent, because no case expects one.
fn compliance_profile() -> Limits {
    const LARGEST: usize = 16 << 20;
    Limits::default()
        .max_message_size(LARGEST)
        .max_fragments(128 << 10)
        .max_buffered(2 * LARGEST)
        .ping_interval(None)
}

/// Compression with everything that the two sides can agree on, for messages of any length.
fn compliance_deflate() -> Deflate {
    Deflate::default()
        .server_no_context_takeover(false)
        .client_no_context_takeover(false)
        .threshold(1_usize)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let (limits, deflate) = match env::var_os("COMPLIANCE") {
        Some(_) => (compliance_profile(), Some(compliance_deflate())),
        None => (Limits::default(), None),
    };
    // Pages of any origin may connect: there is nothing here that a page could abuse.
    let hub = Hub::builder()
        .origin(Origin::Any)
        .limits(limits)
        .deflate(deflate)
        .build();
    let server = Server::builder(Echo)
        .hub(hub)
        .bind(format!("127.0.0.1:{port}"))
        .await?;
    println!("http://{}", server.local_addr());
    server
        .run_until(stop_signal()?, Shutdown::default())
        .await?;
    Ok(())
}
