use std::time::Duration;

use crossws_client::connect;
use crossws_core::Deflate;
use crossws_proxy::Proxy;
use flate2::{Compress, Compression, FlushCompress};
use tokio::net::TcpListener;

use crate::{end, refusal, script, serve, text, upgraded};

#[tokio::test]
async fn responses_that_are_no_upgrade_are_a_502() {
    let responses = [
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
        // Frames before the response.
        "\u{1}\u{2}hiHTTP/1.1 101 x\r\n\r\n".to_owned(),
        // What proves nothing, what was not asked for, and what does not end.
        upgraded("").replace("{accept}", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        upgraded("sec-websocket-protocol: chat\r\n"),
        upgraded("sec-websocket-extensions: permessage-deflate\r\n"),
        "HTTP/1.1 101 x\r\n".to_owned() + &"a: b\r\n".repeat(1 << 14),
        "SSH-2.0-OpenSSH\r\n".to_owned(),
    ];
    for response in responses {
        let (upstream, task) = script(response.clone(), Vec::new()).await;
        let (addr, _proxy) = serve(Proxy::to(format!("ws://{upstream}/"))).await;
        assert_eq!(refusal(addr).await, 502, "{:.40}", response);
        // The connection is dropped.
        task.await.unwrap();
    }
}

#[tokio::test]
async fn an_upstream_that_accepts_and_says_nothing_is_a_504() {
    // One that reads the request, and one whose system alone accepts.
    let (reads, task) = script(String::new(), Vec::new()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for upstream in [reads, silent.local_addr().unwrap()] {
        let proxy = Proxy::to(format!("ws://{upstream}/"));
        let (addr, _proxy) = serve(proxy.connect_timeout(Duration::from_millis(100))).await;
        assert_eq!(refusal(addr).await, 504);
    }
    // The connection is dropped, before the whole request was sent or after it.
    let end = tokio::time::timeout(Duration::from_secs(20), task).await;
    let _ = end.unwrap();
}

#[tokio::test]
async fn messages_that_arrive_with_the_response_are_delivered() {
    // And a close frame after them: 4000.
    let frames = b"\x81\x03one\x81\x03two\x88\x02\x0f\xa0".to_vec();
    for first in [false, true] {
        let (upstream, task) = script(upgraded(""), frames.clone()).await;
        let proxy = Proxy::to(format!("ws://{upstream}/"));
        let (addr, _proxy) = serve(match first {
            true => proxy.upgrade_first(),
            false => proxy,
        })
        .await;
        let mut client = connect(format!("ws://{addr}/")).await.unwrap();
        assert_eq!(text(&mut client).await, "one");
        assert_eq!(text(&mut client).await, "two");
        assert_eq!(client.closed().await.to_string(), "closed with 4000");
        // The close frame was answered.
        assert_eq!(task.await.unwrap().first(), Some(&0x88));
    }
}

#[tokio::test]
async fn upstreams_that_break_a_rule_end_their_client_with_1014() {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut bomb = Vec::with_capacity(64 << 10);
    let zeros = vec![0; 16 << 20];
    deflate
        .compress_vec(&zeros, &mut bomb, FlushCompress::Sync)
        .unwrap();
    bomb.truncate(bomb.len() - 4);
    let mut compressed = vec![0xc2, 126];
    compressed.extend(u16::try_from(bomb.len()).unwrap().to_be_bytes());
    compressed.extend(bomb);
    let agreed = "sec-websocket-extensions: permessage-deflate; server_no_context_takeover\r\n";
    let cases = [
        // A reserved opcode, invalid UTF-8, a masked frame, a frame that is too large, a bomb, no close.
        ("", b"\x83\x00".to_vec()),
        ("", b"\x81\x01\xff".to_vec()),
        ("", b"\x81\x81\x00\x00\x00\x00a".to_vec()),
        ("", b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00".to_vec()),
        (agreed, compressed),
        ("", b"\x88\x02\x03\xee".to_vec()),
    ];
    for (extensions, bytes) in cases {
        let (upstream, task) = script(upgraded(extensions), bytes.clone()).await;
        let proxy = Proxy::to(format!("ws://{upstream}/")).deflate(Deflate::default());
        let (addr, _proxy) = serve(proxy).await;
        let closed = end(addr).await;
        let text = &bytes[..bytes.len().min(10)];
        assert_eq!(
            (closed.code, &*closed.reason),
            (1014, "the upstream broke a rule"),
            "{text:?}"
        );
        task.await.unwrap();
    }
}
