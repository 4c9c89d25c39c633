//! Messages, both ways, through hooks.

use bytes::Bytes;
use crossws_core::{Json, Message, hooks};
use crossws_memory::TestServer;
use futures_lite::future::block_on;

fn echo() -> TestServer {
    TestServer::new(
        hooks()
            .on_open(|peer| async move { peer.send("welcome") })
            .on_message(|peer, message| async move { peer.send(message) }),
    )
}

#[test]
fn text_bytes_and_json_come_back() {
    block_on(async {
        let server = echo();
        let mut client = server.connect("/").await.unwrap();
        client.send("hi").unwrap();
        client.send(Bytes::from_static(&[0, 255])).unwrap();
        client.send(Json(serde_json::json!({"a": 1}))).unwrap();
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(client.next().await.unwrap());
        }
        let expected: [Message; 4] = [
            "welcome".into(),
            "hi".into(),
            vec![0, 255].into(),
            r#"{"a":1}"#.into(),
        ];
        assert_eq!(seen, expected);
    });
}
