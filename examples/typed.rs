//! Typed messages with every setting of a route: formats, validation, and the handling of invalid
//! messages.
//!
//!     cargo run --example typed
//!     npx wscat --connect ws://127.0.0.1:3000/orders
//!     > {"item":"tea","count":2}
//!     < {"text":"2 × tea"}
//!     > {"item":"tea","count":0}
//!     < {"type":"error","message":"the message is invalid: nothing was ordered"}
//!
//! Clients that offer the subprotocol `orders.msgpack` use MessagePack.

use crossws::prelude::*;
use crossws::{DecodeLimits, MessagePackCodec, OnMalformed, TypedPeer, messages, typed};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    item: String,
    count: u32,
}

#[derive(Serialize)]
struct Receipt {
    text: String,
}

fn check(order: &Order) -> Result<(), &'static str> {
    match order.count {
        0 => Err("nothing was ordered"),
        1..=99 => Ok(()),
        _ => Err("there are not enough"),
    }
}

fn app() -> Router {
    let orders = messages().on_message(|peer: TypedPeer<Receipt>, order: Order| async move {
        let text = format!("{} × {}", order.count, order.item);
        peer.send(Receipt { text })
    });
    let orders = typed(orders)
        .protocol("orders.msgpack", MessagePackCodec)
        .decode_limits(DecodeLimits::new().max_depth(4).max_items(100))
        .validate(check)
        .on_malformed(OnMalformed::Reply);
    Router::new().route("/orders", orders)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    crossws::tokio::serve("127.0.0.1:3000", app()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossws::MessagePack;
    use crossws::memory::TestServer;
    use serde_json::{Value, json};

    #[tokio::test]
    async fn orders_are_received_and_mistakes_explained() {
        let server = TestServer::new(app());
        let mut client = server.connect("/orders").await.unwrap();
        for (sent, heard) in [
            (r#"{"item":"tea","count":2}"#, json!({"text": "2 × tea"})),
            (
                r#"{"item":"tea","count":0}"#,
                json!({"type": "error", "message": "the message is invalid: nothing was ordered"}),
            ),
        ] {
            client.send(sent).unwrap();
            let message = client.next().await.unwrap();
            assert_eq!(message.json::<Value>().unwrap(), heard);
        }
        client.send("[[[[[]]]]]").unwrap();
        let refused: Value = client.next().await.unwrap().json().unwrap();
        assert_eq!(refused["type"], "error");
    }

    #[tokio::test]
    async fn clients_that_offer_it_use_message_pack() {
        let server = TestServer::new(app());
        let connect = server.connect("/orders").protocol("orders.msgpack");
        let mut client = connect.await.unwrap();
        client
            .send(MessagePack(json!({"item": "tea", "count": 1})))
            .unwrap();
        // A map of one entry, whose key is `text`.
        let receipt = client.next().await.unwrap();
        assert!(receipt.as_bytes().starts_with(b"\x81\xa4text"));
    }
}
