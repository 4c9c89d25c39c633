use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossws_app::calls::{Calls, Failure, calls};
use crossws_core::{BoxError, Hooks, Peer, hooks};
use serde_json::{Value, json};

use crate::common::*;

pub(crate) fn app() -> Calls<impl Hooks> {
    calls(hooks())
        .method("add", |_: Peer, (a, b): (i64, i64)| async move {
            a.checked_add(b)
                .ok_or_else(|| Failure::new(7, "too much").data(json!([a, b])))
        })
        .method("sleep", |peer: Peer, millis: u64| async move {
            peer.sleep(Duration::from_millis(millis)).await;
            Ok::<_, BoxError>(millis)
        })
        .method("fail", |_: Peer, secret: String| async move {
            Err::<(), BoxError>(secret.into())
        })
}

fn failure(id: Value, code: i64) -> impl Fn(&Value) {
    move |answer| {
        assert_eq!(answer["id"], id, "{answer}");
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert!(answer.get("result").is_none());
    }
}

#[test]
fn methods_answer_calls_by_their_ids() {
    block_on(async {
        let (_server, mut client) = connect(app()).await;
        say(
            &mut client,
            json!({"call": "add", "id": "a", "args": [40, 2]}),
        );
        assert_eq!(next(&mut client).await, json!({"id": "a", "result": 42}));
        say(
            &mut client,
            json!({"call": "add", "id": 1, "args": [i64::MAX, 1]}),
        );
        let error = json!({"code": 7, "message": "too much", "data": [i64::MAX, 1]});
        assert_eq!(next(&mut client).await, json!({"id": 1, "error": error}));
        say(&mut client, json!({"call": "mul", "id": 2, "args": [1, 1]}));
        failure(json!(2), -32_601)(&next(&mut client).await);
        for args in [json!([1]), json!({"a": 1}), json!(null), json!([1, 1e300])] {
            say(&mut client, json!({"call": "add", "id": 3, "args": args}));
            failure(json!(3), -32_602)(&next(&mut client).await);
        }
        say(
            &mut client,
            json!({"call": "fail", "id": 4, "args": "a password"}),
        );
        let answer = next(&mut client).await;
        failure(json!(4), -32_603)(&answer);
        assert!(!answer.to_string().contains("password"));
    });
}

#[test]
fn methods_run_while_later_messages_are_read() {
    block_on(async {
        let (server, mut client) = connect(app()).await;
        say(&mut client, json!({"call": "sleep", "id": 1, "args": 500}));
        say(&mut client, json!({"call": "sleep", "id": 2, "args": 200}));
        say(&mut client, json!({"call": "add", "id": 3, "args": [1, 1]}));
        assert_eq!(next(&mut client).await["id"], 3);
        server.advance(Duration::from_millis(300)).await;
        assert_eq!(next(&mut client).await["id"], 2);
        server.advance(Duration::from_millis(300)).await;
        assert_eq!(next(&mut client).await["id"], 1);
    });
}

#[test]
fn an_id_is_of_one_call_at_a_time() {
    block_on(async {
        let (server, mut client) = connect(app()).await;
        say(&mut client, json!({"call": "sleep", "id": 1, "args": 500}));
        say(&mut client, json!({"call": "add", "id": 1, "args": [1, 1]}));
        failure(json!(1), -32_600)(&next(&mut client).await);
        // The same as text is another id.
        say(
            &mut client,
            json!({"call": "add", "id": "1", "args": [1, 1]}),
        );
        assert_eq!(next(&mut client).await, json!({"id": "1", "result": 2}));
        server.advance(Duration::from_millis(500)).await;
        assert_eq!(next(&mut client).await, json!({"id": 1, "result": 500}));
        say(&mut client, json!({"call": "add", "id": 1, "args": [1, 2]}));
        assert_eq!(next(&mut client).await, json!({"id": 1, "result": 3}));
    });
}

#[test]
fn a_withdrawn_call_stops_and_is_not_answered() {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let ended = Arc::new(AtomicUsize::new(0));
    let app = {
        let ended = Arc::clone(&ended);
        app().method("guarded", move |peer: Peer, (): ()| {
            let guard = Guard(Arc::clone(&ended));
            async move {
                peer.sleep(Duration::from_secs(60)).await;
                drop(guard);
                Ok::<_, BoxError>(())
            }
        })
    };
    block_on(async {
        let (server, mut client) = connect(app).await;
        for id in [1, 2] {
            say(&mut client, json!({"call": "guarded", "id": id}));
        }
        say(&mut client, json!({"cancel": 1}));
        say(&mut client, json!({"cancel": "none"}));
        silent(&server, &mut client).await;
        assert_eq!(ended.load(Ordering::Relaxed), 1);
        // And the others end with the connection.
        client.vanish();
        server.settle().await;
        assert_eq!(ended.load(Ordering::Relaxed), 2);
    });
}
