//! JSON-RPC 2.0 in both directions: methods for the client, and a call back to it.
//!
//!     cargo run --example rpc
//!     npx wscat --connect ws://127.0.0.1:3000
//!     > {"jsonrpc":"2.0","method":"add","params":[40,2],"id":1}
//!     < {"jsonrpc":"2.0","id":1,"result":42}
//!
//! `tests/clients/rpc.mjs` talks to it with a client from npm.

use std::time::Duration;

use crossws::BoxError;
use crossws::calls::{Failure, PeerCalls, calls};
use crossws::prelude::*;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Order {
    item: String,
    count: u32,
}

fn app() -> impl Hooks {
    calls(hooks())
        .json_rpc()
        .method("add", |_: Peer, (a, b): (i64, i64)| async move {
            a.checked_add(b)
                .ok_or_else(|| Failure::new(1, "the sum is too large"))
        })
        .method("order", |peer: Peer, order: Order| async move {
            let question = format!("{} × {}?", order.count, order.item);
            let confirmed = peer
                .call::<bool>("confirm", question)
                .timeout(Duration::from_secs(5));
            match confirmed.await? {
                true => Ok::<_, BoxError>("ordered"),
                false => Ok("cancelled"),
            }
        })
        .method("sleep", |peer: Peer, [millis]: [u64; 1]| async move {
            peer.sleep(Duration::from_millis(millis)).await;
            Ok::<_, BoxError>(millis)
        })
        .event("say", |peer: Peer, said: Value| async move {
            peer.emit("said", said)
        })
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".into());
    crossws::tokio::serve(format!("127.0.0.1:{port}"), app()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossws::memory::TestServer;
    use serde_json::json;

    #[tokio::test]
    async fn an_order_is_confirmed_by_the_client() {
        let server = TestServer::new(app());
        let mut client = server.connect("/").await.unwrap();
        let params = json!({"item": "tea", "count": 2});
        let order = json!({"jsonrpc": "2.0", "method": "order", "params": params, "id": 1});
        client.send(Json(order)).unwrap();
        let asked: Value = client.next().await.unwrap().json().unwrap();
        assert_eq!(asked["params"], json!(["2 × tea?"]));
        let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": true});
        client.send(Json(answer)).unwrap();
        let ordered: Value = client.next().await.unwrap().json().unwrap();
        assert_eq!(
            ordered,
            json!({"jsonrpc": "2.0", "id": 1, "result": "ordered"})
        );
    }
}
