use crossws_app::{Router, reply_errors, route};
use crossws_core::{
    BoxError, Closed, Error, Hooks, Json, Message, OnError, Peer, handler, hooks, ok,
};
use crossws_memory::{Client, TestServer};
use serde_json::json;

use crate::common::*;

/// Fails, panics or echoes, as the message says.
fn fails(log: &Log) -> impl Hooks {
    let log = log.clone();
    hooks()
        .on_message(|peer: Peer, message: Message| async move {
            match message.text()? {
                "fail" => Err("boom".into()),
                "panic" => panic!("bang"),
                text => {
                    peer.send(text)?;
                    ok()
                }
            }
        })
        .on_close(|_, _: Closed| async { Err::<(), BoxError>("late".into()) })
        .on_error(move |_, error: Error| {
            log.add(error.to_string());
            async { OnError::default() }
        })
}

async fn is_told_and_stays(client: &mut Client) {
    for _ in 0..2 {
        client.send("fail").unwrap();
        let told = json!({ "type": "error", "message": "boom" });
        client.expect(Json(told)).await;
    }
    client.send("on").unwrap();
    client.expect("on").await;
}

#[test]
fn the_client_gets_a_hooks_error_and_stays_connected() {
    block_on(async {
        let log = Log::default();
        let app = Router::new()
            .route("/route", route(fails(&log)).reply_errors())
            .nest(
                "/nest",
                Router::new().reply_errors().route("/in", fails(&log)),
            )
            .route("/hooks", reply_errors(fails(&log)))
            .route("/without", fails(&log));
        let server = TestServer::new(app);
        for path in ["/route", "/nest/in", "/hooks"] {
            let mut client = server.connect(path).await.unwrap();
            is_told_and_stays(&mut client).await;
            // The inner error hook gets it.
            let heard = "the message hook failed: boom";
            assert_eq!(log.take(), [heard, heard], "{path}");
            // A panic sends no message, and closes.
            client.send("panic").unwrap();
            assert_eq!(client.closed().await.code, 1011);
            assert_eq!(client.try_next(), None, "{path}");
            assert_eq!(log.take().len(), 2, "the panic, and the close hook's");
        }
        let mut client = server.connect("/without").await.unwrap();
        client.send("fail").unwrap();
        assert_eq!(client.closed().await.code, 1011);
        assert_eq!(client.try_next(), None);
    });
}

#[test]
fn the_client_gets_a_loops_error_and_is_closed() {
    block_on(async {
        let fails = handler(|_, mut incoming| async move {
            incoming.next().await;
            Err::<(), BoxError>("no more".into())
        });
        let server = TestServer::new(reply_errors(fails));
        let mut client = server.connect("/").await.unwrap();
        client.send("x").unwrap();
        let told = json!({ "type": "error", "message": "no more" });
        client.expect(Json(told)).await;
        assert_eq!(client.closed().await.code, 1011);
    });
}

#[test]
fn the_client_gets_the_error_of_open_too() {
    block_on(async {
        let app = hooks()
            .on_open(|_| async { Err::<(), BoxError>("no room".into()) })
            .on_message(|peer, message| async move { peer.send(message) });
        let server = TestServer::new(reply_errors(app));
        let mut client = server.connect("/").await.unwrap();
        let told = json!({ "type": "error", "message": "no room" });
        client.expect(Json(told)).await;
        client.send("x").unwrap();
        client.expect("x").await;
    });
}
