//! Messages in both directions: calls, types, handlers, and clients that do not read.

use std::sync::Arc;
use std::time::Duration;

use crossws_app::calls::{CallError, Failure, calls};
use crossws_client::{Disconnected, connect};
use crossws_core::{CloseCode, Limits, Peer, hooks, ok};
use crossws_memory::TestServer;
use futures_lite::future::block_on;

use crate::{echo, text};

#[test]
fn calls_have_answers_failures_and_ends() {
    let app = || {
        calls(hooks())
            .method("add", |_: Peer, (a, b): (i64, i64)| async move {
                a.checked_add(b).ok_or_else(|| Failure::new(7, "too large"))
            })
            .method("never", |_: Peer, (): ()| {
                std::future::pending::<Result<(), Failure>>()
            })
    };
    block_on(async {
        let server = TestServer::new(app());
        let mut client = connect("ws://a/").in_memory(&server).await.unwrap();
        assert_eq!(client.call::<i64>("add", (2, 3)).await.unwrap(), 5);
        let error = client.call::<i64>("add", (i64::MAX, 1)).await.unwrap_err();
        assert!(matches!(error, CallError::Failed(failure) if failure.code == 7));
        let error = client.call::<String>("add", (2, 3)).await.unwrap_err();
        assert!(matches!(error, CallError::Decode(_)), "{error}");
        let call = client
            .call::<()>("never", ())
            .timeout(Duration::from_secs(3))
            .into_future();
        let (result, ()) =
            futures_lite::future::zip(call, server.advance(Duration::from_secs(3))).await;
        assert!(matches!(result, Err(CallError::Timeout(_))), "{result:?}");
        let handle = client.handle();
        let call = client.call::<()>("never", ()).into_future();
        let close = async { handle.close(CloseCode::NORMAL, "") };
        let (result, ()) = futures_lite::future::zip(call, close).await;
        assert!(matches!(result, Err(CallError::Closed)), "{result:?}");
        assert_eq!(client.next().await, None);
    });
}

#[test]
fn types_are_the_servers() {
    block_on(async {
        let server = TestServer::new(echo());
        let client = connect("ws://a/").typed::<(u8, String), serde_json::Value>();
        let mut client = connect_typed(client, &server).await;
        client.send(serde_json::json!([7, "seven"])).unwrap();
        client.send(serde_json::json!("other")).unwrap();
        assert_eq!(
            client.next().await.unwrap().unwrap(),
            (7, "seven".to_owned())
        );
        client.next().await.unwrap().unwrap_err();
    });
}

async fn connect_typed<In: 'static, Out: 'static>(
    client: crossws_client::TypedConnect<In, Out>,
    server: &TestServer,
) -> crossws_client::TypedClient<In, Out> {
    client.in_memory(server).await.unwrap()
}

#[test]
fn a_handler_runs_for_each_message_and_its_failure_closes() {
    block_on(async {
        let server = TestServer::new(hooks().on_open(|peer| async move {
            peer.send("1")?;
            peer.send("2")?;
            peer.send("stop")
        }));
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let end = connect("ws://a/")
            .in_memory(&server)
            .run(move |client, message| {
                let log = Arc::clone(&log);
                async move {
                    log.lock().unwrap().push(message.to_string());
                    match message.as_bytes()[..] == *b"stop" {
                        true => Err(std::io::Error::other("no more")),
                        false => {
                            client.send(message).unwrap();
                            Ok(())
                        }
                    }
                }
            })
            .await
            .unwrap();
        let Disconnected::Closed(closed) = &*end else {
            panic!("it was open");
        };
        assert_eq!(closed.code, 1011);
        assert_eq!(*seen.lock().unwrap(), ["1", "2", "stop"]);
        ok().unwrap();
    });
}

#[test]
fn a_client_that_does_not_read_holds_a_bounded_number_of_messages() {
    block_on(async {
        let server = TestServer::new(hooks().on_open(|peer| async move {
            for n in 0..100 {
                peer.send(n.to_string())?;
            }
            ok()
        }));
        let limits = Limits::default().max_inbound(3_usize);
        let client = connect("ws://a/").limits(limits).in_memory(&server);
        let mut client = client.await.unwrap();
        server.settle().await;
        for n in 0..100 {
            assert_eq!(text(&mut client).await, n.to_string());
        }
    });
}
