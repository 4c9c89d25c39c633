//! The whole hook surface over HTTP and WebSocket, for clients and suites of other projects.
//!
//!     PORT=9001 cargo run --example fixture
//!     PORT=9001 BARE=1 cargo run --example fixture
//!     PORT=9001 TLS=certificate.pem cargo run --example fixture
//!
//! `GET /peers` lists the connected peers, `GET /publish?topic=chat&message=hello` publishes, and a
//! WebSocket on any path gets a welcome and an echo. With `TLS` everything is encrypted, with a
//! certificate that is created at the start and written to that file. With `UPSTREAM=ws://HOST:PORT/`
//! the paths below `/proxy` are proxies to that server. `fixture/hooks.rs`, `fixture/http.rs` and
//! `fixture/proxies.rs` name no runtime: they are the same on every adapter.

use std::env;
use std::io;

use axum::Router;
use axum::extract::Request;
use crossws::tokio::{Server, Shutdown, Tokio, stop_signal};
use crossws::{Hooks, Hub, Origin};

#[path = "fixture/hooks.rs"]
mod hooks;
#[path = "fixture/http.rs"]
mod http;
#[path = "fixture/proxies.rs"]
mod proxies;
#[path = "fixture/tls.rs"]
mod tls;

// One thread, so that events are handled in the order of their arrival: a client that closes and
// then asks `GET /peers` on another connection must not find itself listed. On several threads the
// two would race, as they do in any server.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    if env::var_os("BARE").is_some() {
        serve(hooks::Bare).await
    } else {
        serve(hooks::Fixture).await
    }
}

async fn serve(hooks: impl Hooks) -> io::Result<()> {
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    // Pages of any origin may connect: this is a test server without secrets.
    let hub = Hub::builder().origin(Origin::Any).build();
    let http = Router::new().fallback({
        let hub = hub.clone();
        async move |request: Request| http::answer(&hub, request.uri())
    });
    let app = proxies::mount(
        hooks,
        |connect| connect.on(Tokio::default()),
        |time| Box::pin(tokio::time::sleep(time)),
    );
    let mut server = Server::builder(app).hub(hub).http(http);
    if let Some(tls) = tls::from_env()? {
        server = server.tls(tls);
    }
    let server = server.bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", server.local_addr());
    server
        .run_until(stop_signal()?, Shutdown::default())
        .await?;
    Ok(())
}
