//! WebSockets in an axum app: a shop whose customers watch their orders.
//!
//!     cargo run --example axum
//!     websocat -H 'Cookie: session=7f3a' ws://127.0.0.1:3000/orders/7
//!     curl -b session=7f3a -d '{"text":"shipped"}' -H 'Content-Type: application/json' \
//!         http://127.0.0.1:3000/orders/7/notify
//!
//! `websocat` prints `{"text":"hello ann, this is order 7"}`, and `{"text":"shipped"}` when `curl` has sent the
//! note, which prints `{"peers":1}`. Without the cookie both get a 401.
//!
//! The session's user, the path's parameters and the state work as in any other route.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::post;
use crossws::BoxError;
use crossws::axum::websocket;
use crossws::prelude::*;
use crossws::tokio::{Shutdown, stop_signal};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
struct User(&'static str);

#[derive(Serialize, Deserialize)]
struct Note {
    text: String,
}

#[derive(Serialize)]
struct Told {
    peers: usize,
}

/// Clients that watch one order get its news.
struct Orders;

impl Hooks for Orders {
    async fn open(&self, peer: &Peer) -> HookResult {
        let User(name) = *peer.attached::<User>()?;
        let id: u64 = peer.path()?;
        let text = format!("hello {name}, this is order {id}");
        peer.send(Json(Note { text }))?;
        Ok(())
    }
}

/// Returns the namespace of an order. A handler finds the order's watchers by it, however they
/// spelled the path.
fn order(id: u64) -> String {
    format!("order:{id}")
}

async fn notify(
    State(hub): State<Hub>,
    Path(id): Path<u64>,
    axum::Json(note): axum::Json<Note>,
) -> Result<axum::Json<Told>, StatusCode> {
    let told = hub.in_namespace(&order(id)).broadcast(Json(note));
    let told = told.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let peers = told.queued;
    Ok(axum::Json(Told { peers }))
}

/// Stands for any middleware that puts its user into the request's extensions.
async fn session(mut request: Request, next: Next) -> Result<Response, StatusCode> {
    let cookie = request.headers().get("cookie");
    let user = match cookie.map(|cookie| cookie.as_bytes()) {
        Some(b"session=7f3a") => User("ann"),
        Some(b"session=c19e") => User("bob"),
        _ => return Err(StatusCode::UNAUTHORIZED),
    };
    request.extensions_mut().insert(user);
    Ok(next.run(request).await)
}

fn shop(hub: Hub) -> axum::Router {
    let orders = route(Orders)
        .adopt::<User>()
        .namespace(|request| Ok(order(request.path_as()?)));
    axum::Router::new()
        .route("/orders/{id}", websocket(orders))
        .route("/orders/{id}/notify", post(notify))
        .layer(from_fn(session))
        .with_state(hub)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let hub = Hub::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, shop(hub.clone()))
        .with_graceful_shutdown(stop_signal()?)
        .await?;
    // axum's shutdown ignores upgraded connections.
    println!(
        "{}",
        crossws::axum::shutdown(&hub, Shutdown::default()).await
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use crossws::memory::{Client, TestServer};
    use crossws::pass;

    use super::*;

    /// Returns a server of the whole app, session included, without a port.
    fn server() -> TestServer {
        let hub = Hub::default();
        TestServer::builder(pass())
            .hub(hub.clone())
            .http(shop(hub))
            .build()
    }

    async fn text(client: &mut Client) -> String {
        client.next().await.unwrap().text().unwrap().to_owned()
    }

    #[tokio::test]
    async fn watchers_of_an_order_are_told_however_they_spelled_its_path() {
        let server = server();
        let watch = |path, session| server.connect(path).header("cookie", session);
        let mut ann = watch("/orders/7", "session=7f3a").await.unwrap();
        assert_eq!(
            text(&mut ann).await,
            r#"{"text":"hello ann, this is order 7"}"#
        );
        let mut bob = watch("/orders/%37", "session=c19e").await.unwrap();
        assert_eq!(
            text(&mut bob).await,
            r#"{"text":"hello bob, this is order 7"}"#
        );
        for (id, told) in [(8, r#"{"peers":0}"#), (7, r#"{"peers":2}"#)] {
            let notify = server.post(format!("/orders/{id}/notify"));
            let note = Note {
                text: "shipped".to_owned(),
            };
            let notify = notify.header("cookie", "session=7f3a").json(&note);
            assert_eq!(notify.await.unwrap().text().unwrap(), told);
        }
        assert_eq!(text(&mut ann).await, r#"{"text":"shipped"}"#);
        assert_eq!(text(&mut bob).await, r#"{"text":"shipped"}"#);
    }

    #[tokio::test]
    async fn without_a_session_or_an_order_there_is_no_upgrade() {
        let server = server();
        let refused = server.connect("/orders/7").await.unwrap_err();
        assert_eq!(refused.status(), 401);
        let ann = server
            .connect("/orders/seven")
            .header("cookie", "session=7f3a");
        assert_eq!(ann.await.unwrap_err().status(), 400);
        assert_eq!(server.post("/orders/7/notify").await.unwrap().status(), 401);
    }

    /// Runs through the middleware, from the request to the message.
    #[tokio::test]
    async fn a_test_of_the_whole_app_is_five_lines() {
        let hub = Hub::default();
        let server = TestServer::builder(pass())
            .hub(hub.clone())
            .http(shop(hub))
            .build();
        let mut ann = server
            .connect("/orders/7")
            .header("cookie", "session=7f3a")
            .await
            .unwrap();
        let hello = ann.next().await.unwrap();
        assert_eq!(
            hello.json::<Note>().unwrap().text,
            "hello ann, this is order 7"
        );
    }
}
