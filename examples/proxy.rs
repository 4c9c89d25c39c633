//! A gateway: clients are authenticated here, and connected to the service behind it.
//!
//!     cargo run --example echo                                      # a service
//!     cargo run --example proxy -- ws://127.0.0.1:3000/ 3001        # the gateway
//!     cargo run --example client -- "ws://127.0.0.1:3001/rooms?user=ann"
//!
//! What is typed comes back from the service, through the gateway, which prints how each client ends. Without
//! `?user=` the client gets a 401. The service sees who the client is by the header `x-user`, and nothing else of its request.

use std::env;
use std::error::Error;

use crossws::http::{HeaderMap, HeaderValue};
use crossws::prelude::*;
use crossws::proxy::Proxy;
use crossws::tokio::serve;

struct User(String);

/// A real gateway checks a session or a token.
async fn signed_in(request: &UpgradeRequest) -> Option<User> {
    let user = request.query()?.strip_prefix("user=")?;
    Some(User(user.to_owned()))
}

fn identify(request: &UpgradeRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(user) = request.attached::<User>()
        && let Ok(user) = HeaderValue::from_str(&user.0)
    {
        headers.insert("x-user", user);
    }
    headers
}

fn gateway(service: Proxy) -> Router {
    let service = service
        .headers(identify)
        .on_close(|request, ended| println!("{}: {:?} {}", request.path(), ended.by, ended.code));
    Router::new()
        .authenticate(signed_in)
        .route("/rooms", service)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let service = args.next().unwrap_or("ws://127.0.0.1:3000/".to_owned());
    let port = args.next().unwrap_or("3001".to_owned());
    println!("http://127.0.0.1:{port} → {service}");
    serve(format!("127.0.0.1:{port}"), gateway(Proxy::to(service))).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crossws::memory::TestServer;

    use super::*;

    #[tokio::test]
    async fn the_service_hears_who_is_there() -> Result<(), Box<dyn Error>> {
        let service = hooks().on_open(|peer| async move {
            let user = peer.request().header("x-user").unwrap_or_default();
            peer.send(format!("hello {user}"))
        });
        let service = TestServer::new(service);
        let proxy = Proxy::to("ws://service/").connect_with(move |it| it.in_memory(&service));
        let server = TestServer::new(gateway(proxy));
        assert_eq!(server.connect("/rooms").await.unwrap_err().status(), 401);
        server
            .connect("/rooms?user=ann")
            .await?
            .expect("hello ann")
            .await;
        Ok(())
    }
}
