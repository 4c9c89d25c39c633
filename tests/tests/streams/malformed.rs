//! Requests that no library writes.

use super::bounds::{next_frame, raw, raw_frame};
use super::*;

pub(super) type Field = (&'static str, &'static str);

/// The fields of a CONNECT for a WebSocket.
pub(super) const CONNECT: [Field; 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "localhost"),
    ("sec-websocket-version", "13"),
];

/// Encodes a header block, as literals of HPACK without Huffman codes.
pub(super) fn block(fields: &[Field]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// Returns the kind and the payload of the first frame that says what became of a request: its response, a
/// reset, or the connection's end.
async fn outcome(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    loop {
        let (kind, _, payload) = next_frame(stream).await?;
        if matches!(kind, 1 | 3 | 7) {
            return Some((kind, payload));
        }
    }
}

/// Sends a request. Returns whether its response is 200, which is one byte in HPACK.
async fn opens(server: &Running, fields: &[Field]) -> bool {
    let mut stream = raw(server).await;
    let head = raw_frame(1, 4, 1, &block(fields));
    stream.write_all(&head).await.unwrap();
    let outcome = soon("an outcome", outcome(&mut stream)).await;
    matches!(outcome, Some((1, payload)) if payload.first() == Some(&0x88))
}

#[test]
fn a_connect_that_breaks_a_rule_opens_no_websocket() {
    run(async {
        let server = serve().await;
        let mut other = open(&server.dial().await, "/").await;
        assert!(opens(&server, &CONNECT).await);
        // RFC 8441 section 4: it has these.
        for missing in [":scheme", ":path", ":authority", "sec-websocket-version"] {
            let fields: Vec<_> = CONNECT
                .into_iter()
                .filter(|(name, _)| *name != missing)
                .collect();
            assert!(!opens(&server, &fields).await, "without {missing}");
        }
        for more in [
            // RFC 9113 sections 8.2 and 8.3.
            (":protocol", "websocket"),
            (":method", "CONNECT"),
            (":path", "/other"),
            (":status", "200"),
            (":unknown", "x"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
            ("Upper", "x"),
            ("x", "a\r\nb: c"),
            ("x", "a\0b"),
            // A body, and rules of WebSockets.
            ("content-length", "5"),
            ("sec-websocket-version", "8"),
        ] {
            let fields = [&CONNECT[..], &[more]].concat();
            assert!(!opens(&server, &fields).await, "{more:?}");
        }
        for (name, value) in [
            (":path", ""),
            (":path", "*"),
            (":path", "room"),
            (":path", "/a b"),
            (":path", "ftp://host/x"),
            (":path", "http://localhost/x"),
            (":protocol", ""),
            (":protocol", "websocket, h2c"),
            (":authority", "a b"),
            (":authority", ""),
            (":authority", "user@localhost"),
            (":scheme", ""),
        ] {
            let mut fields = CONNECT;
            for field in fields.iter_mut().filter(|field| field.0 == name) {
                field.1 = value;
            }
            assert!(!opens(&server, &fields).await, "{name} {value:?}");
        }
        assert_eq!(server.handle.hub().stats().accepted, 2);
        works(&mut other).await;
    });
}

#[test]
fn a_get_with_the_headers_of_http_1_opens_no_websocket() {
    run(async {
        let server = serve().await;
        let get: Vec<_> = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "localhost"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .into();
        assert!(!opens(&server, &get).await);
        let upgrade = [
            &get[..],
            &[("upgrade", "websocket"), ("connection", "upgrade")],
        ]
        .concat();
        assert!(!opens(&server, &upgrade).await);
        assert_eq!(server.handle.hub().stats().accepted, 0);
    });
}
