//! The bounds of a connection and of its streams.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use h2::Reason;
use tokio::io::{AsyncRead, AsyncWrite};

use super::malformed::{CONNECT, block};
use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Writes the preface and the settings of a client.
async fn begin(stream: &mut (impl AsyncWrite + Unpin)) {
    let begin = [PREFACE, &raw_frame(4, 0, 0, &[])].concat();
    stream.write_all(&begin).await.unwrap();
}

/// Returns a connection without a library: its preface and settings are written.
pub(super) async fn raw(server: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    begin(&mut stream).await;
    stream
}

/// Encodes a frame (RFC 9113 section 4.1).
pub(super) fn raw_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of `GET http://localhost/`, in HPACK without Huffman codes.
fn get_block() -> Vec<u8> {
    [&[0x82, 0x86, 0x84, 0x01, 9][..], b"localhost"].concat()
}

/// Reads the next frame. Returns its kind, its stream and its payload, or `None` at the connection's end.
pub(super) async fn next_frame(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; len as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[8], payload))
}

/// Reads to the next frame of this kind. Returns its stream and its payload.
async fn next_of(stream: &mut TcpStream, kind: u8) -> (u8, Vec<u8>) {
    loop {
        let (of, id, payload) = next_frame(stream).await.unwrap();
        if of == kind {
            return (id, payload);
        }
    }
}

/// Reads to the end of the connection. Returns the reason of its `GOAWAY`.
async fn reason(stream: &mut (impl AsyncRead + Unpin)) -> Option<u32> {
    let mut last = None;
    while let Some((kind, _, payload)) = soon("the end", next_frame(stream)).await {
        if kind == 7 {
            last = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
    last
}

#[test]
fn a_thousand_websockets_are_streams_of_one_connection_where_that_is_allowed() {
    run(async {
        let builder = Server::builder(echo()).http2(known().max_streams(1000));
        let server = start(builder).await;
        let connection = server.dial().await;
        let mut tunnels = Vec::new();
        for _ in 0..1000 {
            tunnels.push(open(&connection, "/").await);
        }
        assert_eq!(server.handle.hub().stats().peers, 1000);
        for tunnel in &mut tunnels {
            works(tunnel).await;
        }
    });
}

#[test]
fn more_streams_than_allowed_are_refused() {
    run(async {
        let server = start(Server::builder(echo()).http2(known().max_streams(2))).await;
        let mut stream = raw(&server).await;
        for id in [1, 3, 5] {
            let head = raw_frame(1, 4, id, &block(&CONNECT));
            stream.write_all(&head).await.unwrap();
        }
        // The third stream is reset with REFUSED_STREAM.
        let (id, reason) = soon("a refusal", next_of(&mut stream, 3)).await;
        assert_eq!((id, reason[3]), (5, 7));
    });
}

#[test]
fn a_thousand_streams_at_once_are_refused_or_end_their_own_connection() {
    run(async {
        let server = serve().await;
        let mut other = open(&server.dial().await, "/").await;
        let mut stream = raw(&server).await;
        for id in 0..1000 {
            let head = raw_frame(1, 4, 2 * id + 1, &block(&CONNECT));
            // An error is the end of the connection.
            let _ = stream.write_all(&head).await;
        }
        let reason = reason(&mut stream).await;
        assert!(matches!(reason, Some(11) | None), "{reason:?}");
        works(&mut other).await;
        assert!(server.handle.hub().stats().peers <= 101);
    });
}

#[test]
fn floods_of_frames_that_carry_nothing_hold_up_no_other_connection() {
    run(async {
        let server = serve().await;
        for frame in [
            raw_frame(6, 0, 0, &[0; 8]),                         // PING
            raw_frame(4, 0, 0, &[]),                             // SETTINGS
            raw_frame(4, 0, 0, &[0, 4, 0, 0, 255, 255]), // with a window that stays the same
            raw_frame(2, 0, 1, &[0, 0, 0, 0, 16]),       // PRIORITY
            raw_frame(8, 0, 0, &[0, 0, 0, 1]),           // WINDOW_UPDATE
            raw_frame(250, 0, 0, b"x"),                  // of no known kind
            raw_frame(0, 0, 1, &[]),                     // DATA, empty
            raw_frame(0, 8, 1, &[9, 0, 0, 0, 0, 0, 0, 0, 0, 0]), // of padding alone
        ] {
            let mut stream = raw(&server).await;
            let head = raw_frame(1, 4, 1, &block(&CONNECT));
            stream.write_all(&head).await.unwrap();
            // Never read from.
            let flooding = tokio::spawn(async move {
                let flood = frame.repeat(1000);
                while stream.write_all(&flood).await.is_ok() {}
            });
            let mut other = open(&server.dial().await, "/").await;
            for _ in 0..50 {
                works(&mut other).await;
            }
            flooding.abort();
        }
    });
}

#[test]
fn a_head_has_the_bounds_of_http_1() {
    run(async {
        let server = serve().await;
        let connection = server.dial().await;
        let mut other = open(&connection, "/").await;
        let long = "x".repeat(9000);
        let request = connection.connect(get(&format!("/{long}")));
        assert_eq!(refused(&connection, request).await, 414);
        let mut request = connection.connect(get("/"));
        for _ in 0..101 {
            request.headers_mut().append("a", "b".parse().unwrap());
        }
        assert_eq!(refused(&connection, request).await, 431);
        // More than the list may have: refused before it is a request.
        let mut request = connection.connect(get("/"));
        for name in ["a", "b"] {
            request.headers_mut().insert(name, long.parse().unwrap());
        }
        let response = connection.begin(request).await;
        let refused = match response {
            Ok((response, _stream)) => soon("a response", response).await.map(|it| it.status()),
            Err(error) => Err(error),
        };
        assert!(matches!(
            refused,
            Ok(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) | Err(_)
        ));
        works(&mut other).await;
    });
}

#[test]
fn a_flood_of_continuations_ends_the_connection() {
    run(async {
        let server = serve().await;
        let mut stream = raw(&server).await;
        stream
            .write_all(&raw_frame(1, 0, 1, &get_block()))
            .await
            .unwrap();
        // A field of HPACK that never ends its list: each frame is small, and none is the last.
        let field = [&[0x00, 1][..], b"a", &[1], b"b"].concat();
        let flood = raw_frame(9, 0, 1, &field);
        let write = async {
            for _ in 0..100_000 {
                if stream.write_all(&flood).await.is_err() {
                    return;
                }
            }
            panic!("the server reads on");
        };
        soon("the end", write).await;
        works(&mut open(&server.dial().await, "/").await).await;
    });
}

#[test]
fn rapid_resets_end_the_connection() {
    run(async {
        let server = serve().await;
        let mut stream = raw(&server).await;
        let mut flood = Vec::new();
        for id in 0..2000_u32 {
            let id = 2 * id + 1;
            flood.extend(raw_frame(1, 5, id, &get_block()));
            flood.extend(raw_frame(3, 0, id, &[0, 0, 0, 8]));
        }
        let _ = stream.write_all(&flood).await;
        let reason = reason(&mut stream).await;
        assert!(matches!(reason, Some(11) | None), "{reason:?}");
        works(&mut open(&server.dial().await, "/").await).await;
    });
}

#[test]
fn requests_that_are_cancelled_in_their_hooks_end_the_connection() {
    run(async {
        // Each reset arrives while the hook of its request runs.
        let asked = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
        let seen = std::sync::Arc::clone(&asked);
        let hooks = crossws_core::hooks().on_upgrade(move |_| {
            seen.add_permits(1);
            std::future::pending()
        });
        let server = start(Server::builder(hooks).http2(known())).await;
        let connection = server.dial().await;
        for _ in 0..200 {
            let request = connection.connect(get("/"));
            let Ok((response, mut stream)) = connection.begin(request).await else {
                return;
            };
            let mut running = pin!(asked.acquire());
            let mut response = pin!(response);
            let runs = poll_fn(|cx| match response.as_mut().poll(cx) {
                Poll::Ready(ended) => {
                    assert!(ended.is_err());
                    Poll::Ready(false)
                }
                Poll::Pending => running.as_mut().poll(cx).map(|it| {
                    it.unwrap().forget();
                    true
                }),
            });
            if !soon("a hook", runs).await {
                return;
            }
            stream.send_reset(Reason::CANCEL);
        }
        panic!("the connection goes on");
    });
}

#[test]
fn a_connection_without_streams_ends() {
    run_in_virtual_time(async {
        let mut limits = HeadLimits::default();
        limits.keep_alive = Duration::from_secs(5);
        let server = Piped::serve(limits);
        let mut silent = server.dial();
        begin(&mut silent).await;
        assert_eq!(reason(&mut silent).await, Some(0));
        // A WebSocket keeps its connection, however silent.
        let connection = Http2::over(server.dial(), "http").await.unwrap();
        let mut tunnel = open(&connection, "/").await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        works(&mut tunnel).await;
        works(&mut open(&connection, "/").await).await;
    });
}

#[test]
fn half_a_preface_has_the_deadline_of_a_head() {
    run_in_virtual_time(async {
        let server = Piped::serve(HeadLimits::default());
        let mut stream = server.dial();
        stream.write_all(&PREFACE[..20]).await.unwrap();
        let mut response = String::new();
        soon("the end", stream.read_to_string(&mut response))
            .await
            .unwrap();
        assert!(response.starts_with("HTTP/1.1 408"), "{response}");
    });
}
