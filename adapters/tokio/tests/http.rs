//! WebSocket and HTTP on one port, and upgrades in somebody else's server.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use common::{Client, read_head, soon, start, upgrade_request};
use crossws_core::{Hub, Upgrade, hooks, resolve_with};
use crossws_tokio::{Acceptor, Server};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Echoes, and subscribes everyone to `news`.
fn echo() -> crossws_core::HooksBuilder {
    hooks()
        .on_open(|peer| async move { peer.subscribe("news").map(drop) })
        .on_message(|peer, message| async move { peer.send(message) })
}

fn pages(hub: Hub) -> Router {
    Router::new()
        .route("/", get(|| async { "a page" }))
        .route(
            "/news",
            post(|State(hub): State<Hub>, body: String| async move {
                let told = hub.in_all_namespaces().publish("news", body).unwrap();
                told.queued.to_string()
            }),
        )
        .with_state(hub)
}

async fn body(stream: &mut TcpStream, len: usize) -> String {
    let mut body = vec![0; len];
    soon("a body", stream.read_exact(&mut body)).await.unwrap();
    String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn pages_and_sockets_share_a_port_and_a_connection() {
    let hub = Hub::default();
    let claimed = Arc::new(echo());
    let resolver = resolve_with(move |req| (req.path() == "/ws").then(|| Arc::clone(&claimed)));
    let server = start(Server::builder(resolver).hub(hub.clone()).http(pages(hub))).await;
    let mut reader = server.connect("/ws").await;
    reader.send("hello").await;
    assert_eq!(reader.text().await, "hello");

    // A page, then a publication from a route, then an upgrade: all on one connection.
    let mut stream = server
        .raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert_eq!(body(&mut stream, 6).await, "a page");
    stream
        .write_all(b"POST /news HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nextra")
        .await
        .unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert_eq!(body(&mut stream, 1).await, "1");
    assert_eq!(reader.text().await, "extra");
    let mut upgraded = Client::over(stream, server.addr, "/ws").await;
    upgraded.send("over hyper").await;
    assert_eq!(upgraded.text().await, "over hyper");
    let addr = server.hub().peers()[1].remote_addr();
    assert_eq!(addr, Some(upgraded.0.get_ref().local_addr().unwrap()));
}

#[tokio::test]
async fn an_unclaimed_upgrade_reaches_the_http_service_untouched() {
    let none = resolve_with(|_| None::<Arc<crossws_core::HooksBuilder>>);
    let router = Router::new().route(
        "/other",
        get(|request: Request<Body>| async move {
            let headers = request.headers();
            assert_eq!(headers["upgrade"], "websocket");
            let upgradable = request
                .extensions()
                .get::<hyper::upgrade::OnUpgrade>()
                .is_some();
            format!("{} {upgradable}", headers["x-own"].to_str().unwrap())
        }),
    );
    let server = start(Server::builder(none).http(router)).await;
    let request = upgrade_request("/other").replace("Host:", "X-Own: kept\r\nHost:");
    let mut stream = server.raw(&request).await;
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body(&mut stream, 9).await, "kept true");
}

#[tokio::test]
async fn a_frame_in_the_upgrades_packet_is_kept_over_hyper_too() {
    // The first request makes hyper own the connection; the second is the upgrade.
    let server = start(Server::builder(echo_at_ws()).http(pages(Hub::default()))).await;
    let mut stream = server
        .raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    read_head(&mut stream).await;
    body(&mut stream, 6).await;
    let mut packet = upgrade_request("/ws").into_bytes();
    // A masked text frame "hi", with a key of zeros.
    packet.extend_from_slice(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    stream.write_all(&packet).await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101"));
    let mut frame = [0; 4];
    soon("the echo", stream.read_exact(&mut frame))
        .await
        .unwrap();
    assert_eq!(&frame, b"\x81\x02hi");
}

fn echo_at_ws() -> impl crossws_core::Resolve {
    let hooks = Arc::new(hooks().on_message(|peer, message| async move { peer.send(message) }));
    resolve_with(move |req| (req.path() == "/ws").then(|| Arc::clone(&hooks)))
}

async fn axum_app(router: Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    addr
}

#[tokio::test]
async fn the_layer_mounts_in_axum() {
    let hub = Hub::default();
    let acceptor = Acceptor::new(echo_at_ws(), hub.clone());
    let addr = axum_app(pages(hub.clone()).layer(acceptor.layer())).await;
    let stream = TcpStream::connect(addr).await.unwrap();
    let mut client = Client::over(stream, addr, "/ws").await;
    client.send("through a layer").await;
    assert_eq!(client.text().await, "through a layer");
    assert_eq!(hub.peers().len(), 1);

    let mut page = TcpStream::connect(addr).await.unwrap();
    page.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert!(read_head(&mut page).await.starts_with("HTTP/1.1 200"));

    let stopping = tokio::spawn(async move { acceptor.shutdown(Default::default()).await });
    assert_eq!(u16::from(client.close_frame().await.unwrap().code), 1012);
    let _ = soon("the end", futures_util::StreamExt::next(&mut client.0)).await;
    assert_eq!(soon("the report", stopping).await.unwrap().finished, 1);
}

#[tokio::test]
async fn connections_outlive_the_acceptor_that_made_them() {
    let route = get(|request: Request<Body>| async move {
        let acceptor = Acceptor::new(echo(), Hub::default());
        acceptor
            .handle_upgrade(request)
            .await
            .unwrap()
            .into_response()
    });
    let addr = axum_app(Router::new().route("/ws", route)).await;
    let stream = TcpStream::connect(addr).await.unwrap();
    let mut client = Client::over(stream, addr, "/ws").await;
    client.send("still here").await;
    assert_eq!(client.text().await, "still here");
}

#[tokio::test]
async fn a_route_of_axum_upgrades_by_hand() {
    let acceptor = Acceptor::new(echo(), Hub::default());
    let route = get(
        |State(acceptor): State<Acceptor>, request: Request<Body>| async move {
            match acceptor.handle_upgrade(request).await {
                Ok(response) => response.into_response(),
                Err(_) => StatusCode::UPGRADE_REQUIRED.into_response(),
            }
        },
    );
    let addr = axum_app(Router::new().route("/ws", route).with_state(acceptor)).await;
    let stream = TcpStream::connect(addr).await.unwrap();
    let mut client = Client::over(stream, addr, "/ws").await;
    client.send("by hand").await;
    assert_eq!(client.text().await, "by hand");

    let mut plain = TcpStream::connect(addr).await.unwrap();
    plain
        .write_all(b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert!(read_head(&mut plain).await.starts_with("HTTP/1.1 426"));
}

/// One acceptor behind routers that strip their prefixes.
#[tokio::test]
async fn an_acceptor_behind_nested_routers_keeps_their_namespaces_apart() {
    async fn connect(
        State(acceptor): State<Acceptor>,
        request: Request<Body>,
    ) -> axum::response::Response {
        assert_eq!(request.uri().path(), "/orders/42");
        match acceptor.handle_upgrade(request).await {
            Ok(response) => response.into_response(),
            // It comes back as it was.
            Err(request) => request.uri().to_string().into_response(),
        }
    }
    let hooks = hooks()
        .on_upgrade(|request| {
            let pass = request.query() == Some("pass");
            let upgrade = if pass {
                Upgrade::pass()
            } else {
                Upgrade::new()
            };
            std::future::ready(Ok(upgrade))
        })
        .on_open(|peer| async move { peer.send(peer.request().url()) })
        .on_message(|peer, message| async move {
            let told = peer.to_all().including_self().send(message);
            told.map(drop)
        });
    let orders = || Router::new().route("/orders/{id}", get(connect));
    let app = Router::new()
        .nest("/staff", orders())
        .nest("/public", orders());
    let acceptor = Acceptor::new(hooks, Hub::default());
    let addr = axum_app(app.with_state(acceptor.clone())).await;
    let mut clients = Vec::new();
    for path in ["/staff/orders/42", "/public/orders/42"] {
        let stream = TcpStream::connect(addr).await.unwrap();
        let mut client = Client::over(stream, addr, path).await;
        assert_eq!(client.text().await, format!("http://{addr}{path}"));
        clients.push(client);
    }
    for (client, text) in clients.iter_mut().zip(["a secret", "hello"]) {
        client.send(text).await;
        assert_eq!(client.text().await, text);
    }
    let namespaces = acceptor.hub().namespaces();
    let namespaces: Vec<_> = namespaces.iter().map(|name| &**name).collect();
    assert_eq!(namespaces, ["/public/orders/42", "/staff/orders/42"]);

    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = upgrade_request("/staff/orders/42?pass");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert_eq!(body(&mut stream, 15).await, "/orders/42?pass");
}
