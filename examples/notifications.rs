//! Notifications: a user has as many connections as she likes, anywhere in the app, and hears on all of
//! them what is for her. Clients subscribe by themselves to what they may hear.
//!
//!     cargo run --example notifications
//!     npx wscat --connect "ws://127.0.0.1:3000/inbox?token=ann"
//!     > {"subscribe":"orders/7"}
//!     < {"subscribed":"orders/7"}
//!     curl -H 'content-type: application/json' -d '"shipped"' http://127.0.0.1:3000/notify/ann
//!     < "shipped"
//!
//! `curl` prints how many connections were told: `{"connections":1}`. After the text `quiet` it is none.

use axum::extract::{Path, State};
use axum::routing::post;
use crossws::prelude::*;
use crossws::rooms::{Allow, rooms};
use crossws::tokio::Server;
use crossws::{BoxError, NoToken};
use serde_json::{Value, json};

struct User {
    name: String,
}

/// Whatever token the client has is its user's name here.
async fn user(request: &UpgradeRequest) -> Result<Option<User>, NoToken> {
    let name = request.query_token("token")?.into_owned();
    Ok(Some(User { name }))
}

fn app() -> Router {
    let inbox = hooks().on_message(|peer, message: Message| async move {
        match message.text() {
            Ok("quiet") => peer.tag("quiet")?,
            _ => peer.untag("quiet"),
        };
        crossws::ok()
    });
    let inbox = rooms(inbox)
        .allow("orders/*", Allow::Subscribe)
        .allow("support", Allow::Both);
    Router::new()
        .authenticate(user)
        .identity(|user: &User| user.name.clone())
        .route("/inbox", inbox)
}

/// To all of a user's connections that do not want to be left alone.
async fn notify(
    State(hub): State<Hub>,
    Path(name): Path<String>,
    axum::Json(note): axum::Json<Value>,
) -> axum::Json<Value> {
    let told = hub.identity(&name).except_tagged("quiet").send(Json(note));
    axum::Json(json!({"connections": told.map_or(0, |told| told.queued)}))
}

fn pages(hub: Hub) -> axum::Router {
    axum::Router::new()
        .route("/notify/{name}", post(notify))
        .with_state(hub)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let hub = Hub::default();
    let server = Server::builder(app()).hub(hub.clone()).http(pages(hub));
    server.bind("127.0.0.1:3000").await?.run().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossws::memory::{Client, TestServer};

    async fn next(client: &mut Client) -> Value {
        client.next().await.unwrap().json().unwrap()
    }

    async fn tell(server: &TestServer, path: &str, note: &str) -> Value {
        let answer = server.post(path).json(&note).await.unwrap();
        answer.json().unwrap()
    }

    #[tokio::test]
    async fn a_note_reaches_all_of_a_users_connections_but_the_quiet_ones() {
        let hub = Hub::default();
        let builder = TestServer::builder(app()).hub(hub.clone());
        let server = builder.http(pages(hub)).build();
        let mut phone = server.connect("/inbox?token=ann").await.unwrap();
        let mut laptop = server.connect("/inbox?token=ann").await.unwrap();
        let mut bob = server.connect("/inbox?token=bob").await.unwrap();
        let answer = tell(&server, "/notify/ann", "shipped").await;
        assert_eq!(answer, json!({"connections": 2}));
        assert_eq!(next(&mut phone).await, "shipped");
        assert_eq!(next(&mut laptop).await, "shipped");
        phone.send("quiet").unwrap();
        server.settle().await;
        let answer = tell(&server, "/notify/ann", "delivered").await;
        assert_eq!(answer, json!({"connections": 1}));
        assert_eq!(next(&mut laptop).await, "delivered");
        assert_eq!((phone.try_next(), bob.try_next()), (None, None));
    }

    #[tokio::test]
    async fn clients_subscribe_to_what_they_may_hear() {
        let server = TestServer::new(app());
        let mut ann = server.connect("/inbox?token=ann").await.unwrap();
        ann.send(r#"{"subscribe":"orders/7"}"#).unwrap();
        assert_eq!(next(&mut ann).await, json!({"subscribed": "orders/7"}));
        let orders = server.hub().in_namespace("/inbox");
        orders.publish("orders/7", Json("packed")).unwrap();
        assert_eq!(next(&mut ann).await, "packed");
        ann.send(r#"{"publish":"orders/7","data":"free"}"#).unwrap();
        assert_eq!(next(&mut ann).await["error"], "forbidden");
    }
}
