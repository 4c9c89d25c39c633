//! Many rooms, one connection: WebSockets over HTTP/2, as streams of one encrypted connection.
//!
//!     cargo run --example http2
//!     chromium --ignore-certificate-errors https://localhost:3443
//!
//! The page opens two rooms, and each tells how many connections of TCP all rooms take: one for
//! each browser. Over HTTP/1.1, each room would be a connection with a TLS handshake of its own.
//! `PORT` sets another port.

use std::collections::HashSet;

use axum::response::Html;
use axum::routing::get;
use crossws::prelude::*;
use crossws::tokio::{Http2, Server, Shutdown, Tls, stop_signal};
use crossws::{BoxError, Router};
use rcgen::{CertifiedKey, generate_simple_self_signed};

const PAGE: &str = r#"<!doctype html>
<title>Rooms over HTTP/2</title>
<pre id="log"></pre>
<script>
  for (const room of ["red", "blue"]) {
    const socket = new WebSocket(`wss://${location.host}/rooms/${room}`);
    socket.onmessage = ({ data }) => (log.textContent += `${room}: ${data}\n`);
  }
</script>
"#;

/// Tells every room how many there are.
struct Rooms;

impl Hooks for Rooms {
    async fn open(&self, peer: &Peer) -> HookResult {
        peer.subscribe("count")?;
        tell(peer.hub())
    }
}

fn tell(hub: &Hub) -> HookResult {
    let peers = hub.peers();
    // The streams of one connection have one address.
    let connections: HashSet<_> = peers.iter().filter_map(Peer::remote_addr).collect();
    let text = format!("peers: {}, connections: {}", peers.len(), connections.len());
    hub.in_all_namespaces().publish("count", text)?;
    Ok(())
}

/// Creates a certificate for this run. A real server has one from an authority.
fn certificate() -> Result<Tls, BoxError> {
    let names = ["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
    Ok(Tls::from_pem(cert.pem(), signing_key.serialize_pem())?)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3443".to_owned());
    let page = axum::Router::new().route("/", get(|| async { Html(PAGE) }));
    let server = Server::builder(Router::new().route("/rooms/{name}", Rooms))
        .tls(certificate()?)
        .http2(Http2::default())
        .http(page)
        .bind(format!("127.0.0.1:{port}"))
        .await?;
    println!("https://localhost:{}", server.local_addr().port());
    let report = server
        .run_until(stop_signal()?, Shutdown::default())
        .await?;
    println!("{report}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use crossws::memory::TestServer;

    use super::*;

    #[tokio::test]
    async fn each_room_hears_of_the_next() {
        let server = TestServer::new(Router::new().route("/rooms/{name}", Rooms));
        let mut red = server.connect("/rooms/red").await.unwrap();
        let _blue = server.connect("/rooms/blue").await.unwrap();
        let text = red.next().await.unwrap();
        assert!(text.text().unwrap().starts_with("peers: 1,"));
        let text = red.next().await.unwrap();
        assert!(text.text().unwrap().starts_with("peers: 2,"));
    }
}
