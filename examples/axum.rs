//! WebSockets in an axum app that exists already, on its own server.
//!
//!     cargo run --example axum
//!     npx wscat --connect ws://127.0.0.1:3000/trades
//!     curl --data 'ACME 42' http://127.0.0.1:3000/trades
//!
//! A GET to `/trades` is the WebSocket, a POST publishes to all that are connected.

use std::io;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use crossws::tokio::{Acceptor, Shutdown, stop_signal};
use crossws::{HookResult, Hooks, Hub, Peer};

/// Whoever connects hears of every trade.
struct Ticker;

impl Hooks for Ticker {
    async fn open(&self, peer: &Peer) -> HookResult {
        peer.subscribe("trades")?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let sockets = Acceptor::new(Ticker, Hub::default());
    let app = Router::new()
        .route("/trades", get(connect).post(trade))
        .with_state(sockets.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(stop_signal()?)
        .await?;
    // axum knows nothing of the connections that were upgraded.
    println!("{:?}", sockets.shutdown(Shutdown::default()).await);
    Ok(())
}

/// The app's routing, extractors and middleware work as for any other handler. Where that is not
/// wanted, `sockets.layer()` takes all upgrades out of a whole `Router`'s requests.
async fn connect(State(sockets): State<Acceptor<Ticker>>, request: Request) -> Response {
    match sockets.handle_upgrade(request).await {
        Ok(response) => response.into_response(),
        Err(_) => {
            let upgrade = [("upgrade", "websocket")];
            (StatusCode::UPGRADE_REQUIRED, upgrade, "a WebSocket").into_response()
        }
    }
}

async fn trade(
    State(sockets): State<Acceptor<Ticker>>,
    text: String,
) -> Result<String, StatusCode> {
    let told = sockets.hub().in_all_namespaces().publish("trades", text);
    let told = told.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(format!("told {} peers\n", told.queued))
}
