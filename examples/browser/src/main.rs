//! Serves the page, its client, and the room that it connects to.
//!
//!     cargo build -p browser --lib --target wasm32-unknown-unknown
//!     wasm-bindgen --target web --out-dir target/browser target/wasm32-unknown-unknown/debug/browser.wasm
//!     cargo run -p browser -- target/browser        # http://127.0.0.1:3000

use std::path::Path;
use std::time::Duration;
use std::{env, fs, io};

use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;
use crossws::prelude::*;
use crossws::rooms::{Allow, rooms};
use crossws::{CloseFrame, ok};

fn app() -> Router {
    let inside = hooks().on_message(|peer: Peer, message: Message| async move {
        if message.text()? == "restart" {
            let wait = Duration::from_millis(50);
            let frame = CloseFrame::new(CloseCode::RESTART, "restarting").with_retry(wait);
            for peer in peer.peers() {
                peer.close_frame(frame.clone());
            }
        }
        ok()
    });
    Router::new().route("/room", rooms(inside).allow("talk", Allow::Both))
}

/// Returns the page, and the two files that `wasm-bindgen` has written to this folder.
fn pages(folder: &Path) -> io::Result<axum::Router> {
    let script = fs::read(folder.join("browser.js"))?;
    let wasm = fs::read(folder.join("browser_bg.wasm"))?;
    let script = ([(CONTENT_TYPE, "text/javascript")], script);
    let wasm = ([(CONTENT_TYPE, "application/wasm")], wasm);
    Ok(axum::Router::new()
        .route("/", get(Html(include_str!("../page.html"))))
        .route("/browser.js", get(script))
        .route("/browser_bg.wasm", get(wasm)))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let folder = env::args().nth(1).unwrap_or("target/browser".to_owned());
    let port = env::var("PORT").unwrap_or("3000".to_owned());
    let server = crossws::tokio::Server::builder(app()).http(pages(Path::new(&folder))?);
    let server = server.bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", server.local_addr());
    server.run().await.map(drop)
}
