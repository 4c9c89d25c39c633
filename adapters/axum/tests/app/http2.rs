//! A route of an axum app over HTTP/2, under `axum::serve`.

use axum::Router;
use axum::routing::get;
use bytes::{Bytes, BytesMut};
use crossws_app::PeerExt;
use crossws_axum::websocket;
use crossws_core::{Hub, hooks};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{Ping, RecvStream, SendStream};
use tokio::net::TcpStream;

use crate::{serve, soon};

async fn dial(app: Router) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(serve(app).await).await.unwrap();
    let (requests, mut connection) = h2::client::handshake(stream).await.unwrap();
    let mut ping = connection.ping_pong().unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    // The server's settings come before its reply.
    ping.ping(Ping::opaque()).await.unwrap();
    requests
}

/// Sends an extended CONNECT.
async fn connect(
    requests: &SendRequest<Bytes>,
    path: &str,
) -> (axum::http::Response<RecvStream>, SendStream<Bytes>) {
    let request = axum::http::Request::builder()
        .method("CONNECT")
        .uri(format!("http://localhost{path}"))
        .version(axum::http::Version::HTTP_2)
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap();
    let mut requests = requests.clone().ready().await.unwrap();
    let (response, stream) = requests.send_request(request, false).unwrap();
    (response.await.unwrap(), stream)
}

/// Reads this many bytes.
async fn read(stream: &mut RecvStream, len: usize) -> Bytes {
    let mut bytes = BytesMut::new();
    while bytes.len() < len {
        let data = soon("data", stream.data()).await.unwrap().unwrap();
        stream.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    bytes.freeze()
}

#[tokio::test]
async fn a_route_is_a_websocket_over_http_2() {
    let hub = Hub::default();
    let rooms = hooks()
        .on_open(|peer| async move {
            let id = peer.params().get("id").unwrap_or_default().to_owned();
            peer.send(format!("room {id} of {}", peer.namespace()))
        })
        .on_message(|peer, message| async move {
            // More than one write takes.
            peer.send("x".repeat(100 << 10))?;
            peer.send(message)
        });
    let app = Router::new()
        .nest("/all", Router::new().route("/rooms/{id}", websocket(rooms)))
        .route("/page", get(|| async { "a page" }))
        .with_state(hub.clone());
    let requests = dial(app).await;
    let (one, mut send) = connect(&requests, "/all/rooms/1").await;
    let (two, _send) = connect(&requests, "/all/rooms/2").await;
    assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200));
    let mut one = one.into_body();
    let hello = "room 1 of /all/rooms/1";
    let heard = read(&mut one, 2 + hello.len()).await;
    assert_eq!(&heard[2..], hello.as_bytes());
    assert_eq!(hub.peers().len(), 2);
    // A masked "hi".
    let hi = b"\x81\x82\0\0\0\0hi";
    send.send_data(Bytes::from_static(hi), false).unwrap();
    let answer = read(&mut one, 10 + (100 << 10) + 4).await;
    assert!(answer.ends_with(b"\x81\x02hi"));
    let (page, _send) = connect(&requests, "/page").await;
    assert_eq!(page.status(), 405, "a page is no WebSocket");
}
