use crossws_app::{Malformed, OnMalformed, Typed, TypedHooks, TypedPeer, messages, typed};
use crossws_core::{CloseCode, OnError};
use crossws_memory::{Client, TestServer};
use futures_lite::future::block_on;
use serde_json::{Value, json};

use crate::typed::next_json;

/// Returns hooks that send back the double of each number under 100.
fn doubles() -> TypedHooks<impl Typed<In = u8, Out = u32>> {
    let app = messages()
        .on_message(
            |peer: TypedPeer<u32>, number: u8| async move { peer.send(2 * u32::from(number)) },
        )
        .on_error(|peer: TypedPeer<u32>, error| async move {
            let code = match error.downcast_ref() {
                Some(Malformed::Decode(_)) => 1,
                Some(Malformed::Invalid(_)) => 2,
                _ => 0,
            };
            let _ = peer.send(1_000 + code);
            OnError::Keep
        });
    typed(app).validate(|number| match number {
        0..100 => Ok(()),
        _ => Err("the number is too large"),
    })
}

async fn client(policy: OnMalformed) -> (TestServer, Client) {
    let server = TestServer::new(doubles().on_malformed(policy));
    let client = server.connect("/").await.unwrap();
    (server, client)
}

/// Not JSON, another type, out of range, refused by the validation.
const MALFORMED: [&str; 5] = ["{", "\"7\"", "-1", "256", "100"];

#[test]
fn malformed_messages_are_skipped() {
    block_on(async {
        let (_server, mut client) = client(OnMalformed::Skip).await;
        for text in MALFORMED {
            client.send(text).unwrap();
        }
        client.send("21").unwrap();
        assert_eq!(next_json(&mut client).await, 42);
    });
}

#[test]
fn malformed_messages_are_answered_with_the_reason() {
    block_on(async {
        let (_server, mut client) = client(OnMalformed::Reply).await;
        for text in MALFORMED {
            client.send(text).unwrap();
            let reply = next_json(&mut client).await;
            assert_eq!(reply["type"], "error", "{text}");
            assert!(!reply["message"].as_str().unwrap().is_empty(), "{text}");
        }
        client.send("100").unwrap();
        let message = "the message is invalid: the number is too large";
        let expected: Value = json!({"type": "error", "message": message});
        assert_eq!(next_json(&mut client).await, expected);
        client.send("21").unwrap();
        assert_eq!(next_json(&mut client).await, 42);
    });
}

/// The same text is in the log, and in the close frame.
#[test]
fn the_reason_repeats_little_of_the_message() {
    #[derive(Debug, serde::Deserialize)]
    enum Order {
        Tea,
    }
    let app = messages().on_message(|peer: TypedPeer<u8>, order: Order| async move {
        match order {
            Order::Tea => peer.send(1),
        }
    });
    let server = TestServer::new(typed(app).on_malformed(OnMalformed::Reply));
    let long = "x".repeat(100_000);
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        for order in ["\n2026-01-01 ERROR forged\u{1b}[2J", &long] {
            client.send(json!(order).to_string()).unwrap();
            let reply = next_json(&mut client).await;
            let message = reply["message"].as_str().unwrap();
            assert!(message.contains("unknown variant"), "{message}");
            assert!(message.len() < 1_200 && !message.contains(char::is_control));
        }
    });
}

#[test]
fn malformed_messages_close_with_the_code_of_the_policy() {
    block_on(async {
        let policies = [
            (OnMalformed::default(), 1007),
            (OnMalformed::Close(CloseCode::POLICY), 1008),
        ];
        for (policy, code) in policies {
            for text in MALFORMED {
                let (_server, mut client) = client(policy).await;
                client.send(text).unwrap();
                client.send("21").unwrap();
                let closed = client.closed().await;
                assert_eq!(closed.code, code, "{text}");
                assert!(closed.reason.contains("the "), "{}", closed.reason);
                // The messages after it reached no hook.
                assert!(client.next().await.is_none());
            }
        }
    });
}

#[test]
fn the_error_hook_gets_malformed_messages() {
    block_on(async {
        let (_server, mut client) = client(OnMalformed::Fail).await;
        for (text, answer) in MALFORMED
            .into_iter()
            .zip([1_001, 1_001, 1_001, 1_001, 1_002])
        {
            client.send(text).unwrap();
            assert_eq!(next_json(&mut client).await, answer, "{text}");
        }
        client.send("21").unwrap();
        assert_eq!(next_json(&mut client).await, 42);
    });
}

#[test]
fn a_message_is_decoded_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static DECODED: AtomicUsize = AtomicUsize::new(0);

    struct Counted;
    impl<'de> serde::Deserialize<'de> for Counted {
        fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            DECODED.fetch_add(1, Ordering::Relaxed);
            serde::de::IgnoredAny::deserialize(d).map(|_| Self)
        }
    }
    let app = messages().on_message(|peer: TypedPeer<u8>, _: Counted| async move { peer.send(1) });
    let server = TestServer::new(typed(app).validate(|_| Ok::<_, &str>(())));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        client.send("{}").unwrap();
        assert_eq!(next_json(&mut client).await, 1);
        assert_eq!(DECODED.load(Ordering::Relaxed), 1);
    });
}
