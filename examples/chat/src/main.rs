//! A chat with rooms, and its page, on one port.
//!
//! ```sh
//! cargo run -p chat
//! ```
//!
//! Open the printed address in two windows. Then send a message to all rooms from outside:
//!
//! ```sh
//! curl --data 'Deploy at 18:00' http://127.0.0.1:3000/announce
//! ```
//!
//! `PORT` chooses another port. Ctrl-C or SIGTERM closes the peers, waits for them and prints the
//! result. The chat itself is in `hooks.rs`, its tests are in `tests.rs`.

use std::env;
use std::io;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{get, post};
use crossws::Hub;
use crossws::tokio::{Server, Shutdown, stop_signal};

mod hooks;
#[cfg(test)]
mod tests;

#[tokio::main]
async fn main() -> io::Result<()> {
    // Prints crossws's log: a hook that failed, for example.
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let hub = Hub::default();
    let http = Router::new()
        .route("/", get(Html(include_str!("page.html"))))
        .route("/announce", post(announce))
        .with_state(hub.clone());
    let server = Server::builder(hooks::chat())
        .hub(hub)
        .http(http)
        .bind(format!("127.0.0.1:{port}"))
        .await?;
    println!("http://{}", server.local_addr());

    let report = server
        .run_until(stop_signal()?, Shutdown::default())
        .await?;
    println!("{report}");
    Ok(())
}

/// Announces without authentication, which a real app would need.
async fn announce(State(hub): State<Hub>, text: String) -> (StatusCode, String) {
    match hooks::announce(&hub, &text) {
        Ok(published) => (
            StatusCode::OK,
            format!("told {} people\n", published.queued),
        ),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
