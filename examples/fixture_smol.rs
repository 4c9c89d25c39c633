//! The fixture server on smol: see `fixture.rs`.
//!
//!     PORT=9001 cargo run --example fixture_smol

use std::convert::Infallible;
use std::env;
use std::io;
use std::task::{Context, Poll};

use axum::http::{Request, Response};
use crossws::smol::{Server, Shutdown, Smol, stop_signal};
use crossws::{Hooks, Hub, Origin};

#[path = "fixture/hooks.rs"]
mod hooks;
#[path = "fixture/http.rs"]
mod http;
#[path = "fixture/proxies.rs"]
mod proxies;
#[path = "fixture/tls.rs"]
mod tls;

fn main() -> io::Result<()> {
    if env::var_os("BARE").is_some() {
        smol::block_on(serve(hooks::Bare))
    } else {
        smol::block_on(serve(hooks::Fixture))
    }
}

async fn serve(hooks: impl Hooks) -> io::Result<()> {
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    // Pages of any origin may connect: this is a test server without secrets.
    let hub = Hub::builder().origin(Origin::Any).build();
    let app = proxies::mount(
        hooks,
        |connect| connect.on(Smol::default()),
        |time| {
            Box::pin(async move {
                smol::Timer::after(time).await;
            })
        },
    );
    let mut server = Server::builder(app).hub(hub.clone()).http(Pages(hub));
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

/// The HTTP side, as a tower service without a framework.
#[derive(Clone)]
struct Pages(Hub);

impl<B> tower_service::Service<Request<B>> for Pages {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        std::future::ready(Ok(http::answer(&self.0, request.uri())))
    }
}
