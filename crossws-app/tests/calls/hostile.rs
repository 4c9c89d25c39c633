//! Clients that try to make calls cost more than they should.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::*;
use crate::methods;

#[test]
fn of_10_000_calls_in_flight_as_many_run_as_may() {
    block_on(async {
        let (server, mut client) = connect(methods::app()).await;
        let (mut results, mut refused) = (0, 0);
        let mut count = |answer: Value| match &answer["error"]["code"] {
            Value::Null => results += 1,
            code => {
                assert_eq!(code, -32_000);
                refused += 1;
            }
        };
        for id in 0..10_000 {
            say(
                &mut client,
                json!({"call": "sleep", "id": id, "args": 1_000}),
            );
            if id % 100 == 99 {
                server.settle().await;
                while let Some(message) = client.try_next() {
                    count(message.json().unwrap());
                }
            }
        }
        server.advance(Duration::from_secs(1)).await;
        while let Some(message) = client.try_next() {
            count(message.json().unwrap());
        }
        assert_eq!((results, refused), (100, 9_900));
        say(&mut client, json!({"call": "add", "id": 0, "args": [1, 1]}));
        assert_eq!(next(&mut client).await["result"], 2);
    });
}

#[test]
fn a_long_id_is_not_kept() {
    block_on(async {
        let (_server, mut client) = connect(methods::app()).await;
        let id = "x".repeat(129);
        say(
            &mut client,
            json!({"call": "sleep", "id": id, "args": 1_000}),
        );
        let answer = next(&mut client).await;
        assert_eq!(answer["error"]["code"], -32_600);
        assert_eq!(answer["id"], Value::Null);
        for id in [json!(null), json!([1]), json!(true), json!({"a": 1})] {
            say(
                &mut client,
                json!({"call": "sleep", "id": id, "args": 1_000}),
            );
            assert_eq!(next(&mut client).await["error"]["code"], -32_600);
        }
    });
}
