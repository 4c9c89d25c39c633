//! Rules from a file: the server responds as `rules/echo.json` says, and hooks get the other
//! messages.
//!
//!     cargo run --example rules [FILE]
//!     npx wscat --connect ws://127.0.0.1:3000
//!     > {"type":"ping"}
//!     < {"type":"pong"}
//!     > hello
//!     < {"type":"fallback","data":"hello"}

use crossws::prelude::*;
use crossws::rules::{RuleSet, rules};
use crossws::{AutoCodec, BoxError, Payload, TypedPeer, messages, typed_as};
use serde_json::{Value, json};

fn app(file: &str) -> Result<Router, BoxError> {
    let fallback = messages().on_message(|peer: TypedPeer<Value>, payload| async move {
        let data = match payload {
            Payload::Json(value) => value,
            Payload::Text(text) => json!(&*text),
            Payload::Binary(bytes) => json!(format!("{} bytes", bytes.len())),
        };
        peer.send(json!({"type": "fallback", "data": data}))
    });
    let set: RuleSet = file.parse()?;
    let echo = rules(typed_as(AutoCodec, fallback)).with(set);
    Ok(Router::new().route("/", route(echo).topic("lobby")))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let known = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/rules/echo.json");
    let file = std::env::args().nth(1).unwrap_or_else(|| known.into());
    let app = app(&std::fs::read_to_string(&file)?).map_err(|error| format!("{file}: {error}"))?;
    crossws::tokio::serve("127.0.0.1:3000", app).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossws::memory::TestServer;

    #[tokio::test]
    async fn the_file_responds_and_hooks_get_the_rest() {
        let server = TestServer::new(app(include_str!("rules/echo.json")).unwrap());
        let mut client = server.connect("/").await.unwrap();
        for (sent, heard) in [
            (json!({"type": "ping"}), json!({"type": "pong"})),
            (
                json!({"type": "echo", "data": 7}),
                json!({"type": "echo", "data": 7}),
            ),
            (
                json!({"type": "announce", "text": "hi"}),
                json!({"type": "announcement", "text": "hi"}),
            ),
            (
                json!({"type": "x"}),
                json!({"type": "fallback", "data": {"type": "x"}}),
            ),
        ] {
            client.send(Json(sent)).unwrap();
            let message = client.next().await.unwrap();
            assert_eq!(message.json::<Value>().unwrap(), heard);
        }
    }

    #[test]
    fn a_mistake_is_reported_with_its_line() {
        let file = include_str!("rules/echo.json");
        let error = app(&file.replace("\"and_self\"", "\"andself\"")).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `andself`"),
            "{error}"
        );
        assert!(error.to_string().contains("line 7"), "{error}");
    }
}
