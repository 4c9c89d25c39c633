//! Servers that break every rule.

use std::time::{Duration, Instant};

use crossws_client::{Connect, ConnectError, MAX_HEAD, connect};
use crossws_core::{CloseCode, ClosedBy, Deflate, Limits};
use crossws_proto::handshake::AnswerError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::script::{end, frames, opened, refused, server, serving};

const UPGRADED: &str = "HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: upgrade\r\n";

fn plain(connect: Connect) -> Connect {
    connect
}

type Setup = fn(Connect) -> Connect;

fn leak(text: String) -> &'static [u8] {
    text.leak().as_bytes()
}

#[tokio::test]
async fn responses_that_break_a_rule_are_refused_by_name() {
    let with = |rest: &str| leak(format!("{UPGRADED}{rest}\r\n"));
    let accepted = |rest: &str| with(&format!("sec-websocket-accept: {{accept}}\r\n{rest}"));
    type Check = fn(&ConnectError) -> bool;
    let cases: Vec<(&'static [u8], Check)> = vec![
        (with(""), |e| {
            matches!(e, ConnectError::Handshake(AnswerError::Accept))
        }),
        (
            with("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            |e| matches!(e, ConnectError::Handshake(AnswerError::Accept)),
        ),
        (accepted("sec-websocket-protocol: chat\r\n"), |e| {
            matches!(e, ConnectError::Handshake(AnswerError::Protocol))
        }),
        (
            accepted("sec-websocket-extensions: permessage-deflate\r\n"),
            |e| matches!(e, ConnectError::Handshake(AnswerError::Extension)),
        ),
        (
            b"HTTP/1.1 302 Found\r\nlocation: ws://elsewhere/\r\n\r\n",
            |e| {
                matches!(e, ConnectError::Refused(response)
                if response.status() == 302 && response.headers()["location"] == "ws://elsewhere/")
            },
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno", |e| {
            e.status().is_some_and(|status| status == 200)
        }),
        // Early bytes: frames before the response.
        (b"\x81\x02hiHTTP/1.1 101 x\r\n\r\n", |e| {
            matches!(e, ConnectError::Malformed(_))
        }),
        (b"HTTP/2 101 x\r\n\r\n", |e| {
            matches!(e, ConnectError::Malformed(_))
        }),
        (b"SSH-2.0-OpenSSH\r\n", |e| {
            matches!(e, ConnectError::Malformed(_))
        }),
        (
            accepted("").strip_prefix(b"HTTP/1.1").map_or(b"", |rest| {
                leak(format!("HTTP/1.0{}", String::from_utf8_lossy(rest)))
            }),
            |e| matches!(e, ConnectError::Handshake(AnswerError::Version)),
        ),
        (accepted("sec-websocket-accept: {accept}\r\n"), |e| {
            matches!(e, ConnectError::Handshake(AnswerError::Accept))
        }),
        // Lines that each parser would read in its own way.
        (accepted("x: a\r\n b\r\n"), |e| {
            matches!(e, ConnectError::Malformed(_))
        }),
        (accepted("x : a\r\n"), |e| {
            matches!(e, ConnectError::Malformed(_))
        }),
        (accepted("x\r\n"), |e| {
            matches!(e, ConnectError::Malformed(_))
        }),
        (accepted("x: a\0b\r\n"), |e| {
            matches!(e, ConnectError::Malformed(_))
        }),
        (accepted("x: a\rb\r\n"), |e| {
            matches!(e, ConnectError::Malformed(_))
        }),
        (b"HTTP/1.1 1010 x\r\n\r\n", |e| {
            matches!(e, ConnectError::Malformed(_))
        }),
        (
            leak(format!("HTTP/1.1 101 x\r\n{}\r\n", "a: b\r\n".repeat(101))),
            |e| matches!(e, ConnectError::Malformed(_)),
        ),
    ];
    for (response, check) in cases {
        let error = refused(response, plain).await;
        assert!(
            check(&error),
            "{}: {error:?}",
            String::from_utf8_lossy(response)
        );
        assert!(!error.is_temporary(), "{error}");
    }
}

#[tokio::test]
async fn extensions_and_protocols_that_were_not_offered_are_refused() {
    let response = leak(format!(
        "{UPGRADED}sec-websocket-accept: {{accept}}\r\nsec-websocket-protocol: v3\r\n\r\n"
    ));
    let error = refused(response, |connect| connect.protocols(["v1", "v2"])).await;
    assert!(
        matches!(error, ConnectError::Handshake(AnswerError::Protocol)),
        "{error}"
    );
    for parameters in [
        "",
        "; server_max_window_bits=16",
        "; x",
        ", permessage-deflate",
    ] {
        let offered = "sec-websocket-extensions: permessage-deflate; server_no_context_takeover";
        let name = match parameters {
            "" => "sec-websocket-extensions: x-other".to_owned(),
            parameters => format!("{offered}{parameters}"),
        };
        let response = leak(format!(
            "{UPGRADED}sec-websocket-accept: {{accept}}\r\n{name}\r\n\r\n"
        ));
        let error = refused(response, |connect| connect.deflate(Deflate::default())).await;
        assert!(
            matches!(error, ConnectError::Handshake(_)),
            "{parameters}: {error}"
        );
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_bounded() {
    let error = refused(
        leak(format!("HTTP/1.1 101 x\r\nx: {}", "y".repeat(MAX_HEAD))),
        plain,
    )
    .await;
    assert!(
        matches!(error, ConnectError::HeadTooLong(MAX_HEAD)),
        "{error}"
    );
    // So are interim responses, however short each is.
    let endless = "HTTP/1.1 100 x\r\n\r\n".repeat(MAX_HEAD / 18 + 1);
    let error = refused(leak(endless), plain).await;
    assert!(
        matches!(error, ConnectError::HeadTooLong(MAX_HEAD)),
        "{error}"
    );
    // One that arrives slowly is bounded by time.
    let error = refused(b"HTTP/1.1 101 x\r\n", |connect| {
        connect.connect_timeout(Duration::from_millis(50))
    })
    .await;
    assert!(matches!(error, ConnectError::Timeout(_)), "{error}");
    // And one that is cut.
    let (addr, _server) = server(|stream| async move { drop(stream) }).await;
    let error = crossws_client::connect(format!("ws://{addr}/"))
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Io(_)), "{error}");
}

#[tokio::test]
async fn frames_that_break_a_rule_close_with_its_code() {
    let small = |connect: Connect| connect.limits(Limits::default().max_message_size(10_usize));
    let cases: Vec<(&[u8], u16, Setup)> = vec![
        // Parts of messages that do not follow each other, and a control frame in parts.
        (b"\x01\x01a\x81\x01b", 1002, plain),
        (b"\x09\x00", 1002, plain),
        // Codes that no frame may have, and a reason that is no text.
        (b"\x88\x02\x03\xe7", 1002, plain),
        (b"\x88\x02\x03\xed", 1002, plain),
        (b"\x88\x02\x03\xee", 1002, plain),
        (b"\x88\x02\x13\x88", 1002, plain),
        (b"\x88\x04\x03\xe8\xff\xff", 1007, plain),
        // A masked frame from a server.
        (b"\x81\x82\0\0\0\0hi", 1002, plain),
        (b"\xc1\x02hi", 1002, plain),
        (b"\x80\x00", 1002, plain),
        (b"\x83\x00", 1002, plain),
        (b"\x89\x7e\x00\x7e", 1002, plain),
        (b"\x88\x01\x03", 1002, plain),
        (b"\x81\x02\xff\xff", 1007, plain),
        (b"\x82\x0b01234567890", 1009, small),
        (b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 1009, plain),
    ];
    for (bytes, code, setup) in cases {
        let (mut client, server) = opened("", bytes.to_vec(), setup).await;
        assert_eq!(client.next().await, None);
        let closed = end(&client).await;
        assert_eq!(
            (closed.code, closed.by, closed.clean),
            (code, ClosedBy::Client, false)
        );
        let frames = frames(&server.await.unwrap());
        let [(8, payload)] = &frames[..] else {
            panic!("{frames:?}");
        };
        assert_eq!(payload[..2], code.to_be_bytes());
    }
}

#[tokio::test]
async fn interim_responses_are_not_the_response() {
    let (addr, _server) = server(|mut stream| async move {
        let head = crate::script::head(&mut stream).await;
        let accept = crate::script::accept(&head);
        let response = format!("{UPGRADED}sec-websocket-accept: {accept}\r\n\r\n");
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nlink: </a>\r\n\r\n";
        let bytes = [interim.as_bytes(), response.as_bytes(), b"\x81\x02hi"].concat();
        // Each head is cut somewhere.
        for part in bytes.chunks(10) {
            stream.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        let _ = stream.read_u8().await;
    })
    .await;
    let mut client = connect(format!("ws://{addr}/")).await.unwrap();
    assert_eq!(client.next().await.unwrap().text().unwrap(), "hi");
}

#[tokio::test]
async fn nothing_is_delivered_that_follows_the_servers_close() {
    let frames_of_server = b"\x81\x01a\x88\x02\x03\xe8\x81\x01b\x89\x01c".to_vec();
    let (mut client, server) = opened("", frames_of_server, plain).await;
    assert_eq!(client.next().await.unwrap().text().unwrap(), "a");
    assert_eq!(client.next().await, None);
    // Neither is the ping answered.
    let sent = frames(&server.await.unwrap());
    assert_eq!(sent, [(8, 1000_u16.to_be_bytes().to_vec())]);
}

#[tokio::test]
async fn what_is_no_deflate_ends_the_connection() {
    let extension = "sec-websocket-extensions: permessage-deflate; server_no_context_takeover\r\n";
    let setup = |connect: Connect| connect.deflate(Deflate::default());
    // A block of no known kind, one that refers to bytes before the first, and a compressed control frame.
    for (bytes, code) in [
        (&b"\xc1\x03\xff\xff\xff"[..], 1007),
        (b"\xc1\x03\x02\x02\x00", 1007),
        (b"\xc9\x00", 1002),
    ] {
        let (mut client, _server) = opened(extension, bytes.to_vec(), setup).await;
        assert_eq!(client.next().await, None);
        assert_eq!(end(&client).await.code, code, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_bomb_is_inflated_up_to_the_limit() {
    // 16 MiB of zeros in 16 KiB: blocks that repeat the longest match.
    let mut deflate = flate2::Compress::new(flate2::Compression::best(), false);
    let mut compressed = Vec::with_capacity(64 << 10);
    let zeros = vec![0; 16 << 20];
    let flush = flate2::FlushCompress::Sync;
    deflate
        .compress_vec(&zeros, &mut compressed, flush)
        .unwrap();
    compressed.truncate(compressed.len() - 4);
    let mut frame = vec![0xc2, 126];
    frame.extend(u16::try_from(compressed.len()).unwrap().to_be_bytes());
    frame.extend(compressed);
    let extension = "sec-websocket-extensions: permessage-deflate; server_no_context_takeover\r\n";
    let setup = |connect: Connect| connect.deflate(Deflate::default());
    let (mut client, _server) = opened(extension, frame, setup).await;
    assert_eq!(client.next().await, None);
    assert_eq!(end(&client).await.code, 1009);
}

#[tokio::test]
async fn frames_right_after_the_response_are_messages() {
    let (mut client, server) = opened("", b"\x81\x05early\x88\x02\x03\xe8".to_vec(), plain).await;
    assert_eq!(client.next().await.unwrap().text().unwrap(), "early");
    assert_eq!(client.next().await, None);
    assert_eq!(
        frames(&server.await.unwrap()),
        [(8, 1000_u16.to_be_bytes().to_vec())]
    );
    let closed = end(&client).await;
    assert!(closed.clean && closed.by == ClosedBy::Server);
}

#[tokio::test]
async fn a_server_that_does_not_answer_the_close_is_left() {
    let setup = |connect: Connect| {
        connect.limits(Limits::default().close_timeout(Duration::from_millis(50)))
    };
    let (client, server) = opened("", Vec::new(), setup).await;
    let began = Instant::now();
    client.close(CloseCode::NORMAL, "done");
    let closed = end(&client).await;
    assert_eq!((closed.code, closed.clean), (1000, false));
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!(frames(&server.await.unwrap()).len(), 1);
}

#[tokio::test]
async fn floods_of_pings_are_answered_once_in_a_while_and_end() {
    let pings = b"\x89\x01x".repeat(1000);
    let (client, server) = opened("", pings, plain).await;
    assert_eq!(end(&client).await.code, 1008);
    let frames = frames(&server.await.unwrap());
    assert!(frames.len() <= 101, "{}", frames.len());
    assert_eq!(frames.last().unwrap().0, 8);
}

#[tokio::test]
async fn a_lost_connection_is_not_clean() {
    let (addr, _server) = server(|mut stream| async move {
        let head = crate::script::head(&mut stream).await;
        let response = format!(
            "{UPGRADED}sec-websocket-accept: {}\r\n\r\n\x01\x03abc",
            crate::script::accept(&head)
        );
        tokio::io::AsyncWriteExt::write_all(&mut stream, response.as_bytes())
            .await
            .unwrap();
    })
    .await;
    let mut client = crossws_client::connect(format!("ws://{addr}/"))
        .await
        .unwrap();
    // Half a message is none.
    assert_eq!(client.next().await, None);
    let closed = end(&client).await;
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1006, ClosedBy::Network, false)
    );
}

#[tokio::test]
async fn a_broken_rule_overtakes_no_reply_to_what_came_before_it() {
    // Each is a message, and in the same read what ends the connection.
    for (last, code) in [(&b"\xc1\x00"[..], 1002), (&b"\x88\x02\x03\xe8"[..], 1000)] {
        let frames_of_server = [b"\x81\x02hi", last].concat();
        let (addr, server) = serving("", frames_of_server).await;
        let echo = connect(format!("ws://{addr}/"));
        echo.run(|client, message| async move { client.send(message) })
            .await
            .unwrap();
        let sent = frames(&server.await.unwrap());
        let close = u16::to_be_bytes(code);
        assert_eq!(sent[0], (1, b"hi".to_vec()), "{code}: {sent:?}");
        assert_eq!((sent[1].0, &sent[1].1[..2]), (8, &close[..]), "{sent:?}");
    }
}
