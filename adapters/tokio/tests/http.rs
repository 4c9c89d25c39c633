//! WebSocket and HTTP on one port, and upgrades in a foreign server.

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

/// Echoes, and subscribes every peer to `news`.
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
    assert_eq!(soon("the report", stopping).await.unwrap().closed, 1);
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

/// One acceptor inside routers that strip their prefixes.
#[tokio::test]
async fn an_acceptor_under_nested_routers_keeps_their_namespaces_apart() {
    async fn connect(
        State(acceptor): State<Acceptor>,
        request: Request<Body>,
    ) -> axum::response::Response {
        assert_eq!(request.uri().path(), "/orders/42");
        match acceptor.handle_upgrade(request).await {
            Ok(response) => response.into_response(),
            // The request comes back unchanged.
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

#[tokio::test]
async fn a_hook_calls_the_servers_own_http_service() {
    async fn address(
        axum::extract::ConnectInfo(addr): axum::extract::ConnectInfo<std::net::SocketAddr>,
    ) -> String {
        addr.to_string()
    }
    async fn peers(axum::Extension(hub): axum::Extension<Hub>) -> String {
        hub.stats().peers.to_string()
    }
    let hub = Hub::default();
    let app = hooks().on_message(|peer, message| async move {
        let response = peer.api().get(message.text()?).await?;
        peer.send(format!(
            "{} {}",
            response.status().as_u16(),
            response.text()?
        ))?;
        Ok::<_, crossws_core::BoxError>(())
    });
    let pages = pages(hub.clone())
        .route("/address", get(address))
        .route("/peers", get(peers));
    let server = start(Server::builder(app).hub(hub.clone()).http(pages)).await;
    let mut client = server.connect("/ws").await;
    client.send("/").await;
    assert_eq!(client.text().await, "200 a page");
    client.send("/none").await;
    assert_eq!(client.text().await, "404 ");
    client.send("/address").await;
    let addr = client.0.get_ref().local_addr().unwrap();
    assert_eq!(client.text().await, format!("200 {addr}"));
    client.send("/peers").await;
    assert_eq!(client.text().await, "200 1");
    let request = "GET /peers HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut stream = server.raw(request).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert_eq!(body(&mut stream, 1).await, "1");
    // A task that belongs to no peer may call it too.
    assert_eq!(hub.api().get("/").await.unwrap().text().unwrap(), "a page");
}

/// The user whom a session's layer accepts.
#[derive(Clone)]
struct User(String);

/// A session's layer: refuses a request without a user, and attaches the user to others.
async fn session(
    mut request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Result<axum::response::Response, StatusCode> {
    let user = request
        .headers()
        .get("x-user")
        .and_then(|user| user.to_str().ok());
    let user = User(user.ok_or(StatusCode::UNAUTHORIZED)?.to_owned());
    request.extensions_mut().insert(user);
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .insert("x-layer", "session".parse().unwrap());
    Ok(response)
}

/// Sends the user that the request's extensions name, and the namespace.
fn greets() -> crossws_core::HooksBuilder {
    hooks().on_open(|peer| async move {
        let parts = peer.request().parts();
        let user = parts.extensions.get::<User>().map(|user| user.0.clone());
        peer.send(format!("{user:?} {}", peer.namespace()))
    })
}

#[tokio::test]
async fn sockets_before_http_skip_the_services_layers() {
    let pages = Router::new().layer(axum::middleware::from_fn(session));
    let server = start(Server::builder(greets()).http(pages)).await;
    assert_eq!(server.connect("/a").await.text().await, "None /a");
}

#[tokio::test]
async fn sockets_through_http_pass_the_services_layers() {
    let builder = Server::builder(greets()).http_through(|sockets| {
        Router::new()
            .route("/page", get(|| async { "a page" }))
            .nest_service("/below", sockets.clone())
            .fallback_service(sockets)
            .layer(axum::middleware::from_fn(session))
    });
    let server = start(builder).await;
    let mut refused = server.raw(&upgrade_request("/a")).await;
    assert!(read_head(&mut refused).await.starts_with("HTTP/1.1 401"));
    for path in ["/a", "/below/a"] {
        let request = upgrade_request(path).replace("\r\n\r\n", "\r\nx-user: ann\r\n\r\n");
        let mut stream = server.raw(&request).await;
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(
            head.to_ascii_lowercase().contains("x-layer: session"),
            "{head}"
        );
        let said = format!("Some(\"ann\") {path}");
        // The header of the frame.
        assert_eq!(
            soon("a frame", stream.read_u16()).await.unwrap() & 0x7f,
            said.len() as u16
        );
        assert_eq!(body(&mut stream, said.len()).await, said);
    }
    let page = "GET /page HTTP/1.1\r\nHost: a\r\nx-user: ann\r\n\r\n";
    let mut page = server.raw(page).await;
    assert!(read_head(&mut page).await.starts_with("HTTP/1.1 200"));
    assert_eq!(body(&mut page, 6).await, "a page");
}

#[tokio::test]
async fn a_service_without_its_sockets_upgrades_nothing() {
    let started = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = Arc::clone(&started);
    let app = greets().on_start(move |_| {
        flag.store(true, std::sync::atomic::Ordering::Relaxed);
        std::future::ready(())
    });
    let server = start(Server::builder(app).http_through(|_| pages(Hub::default()))).await;
    let mut refused = server.raw(&upgrade_request("/a")).await;
    assert!(read_head(&mut refused).await.starts_with("HTTP/1.1 404"));
    assert_eq!(server.hub().stats().accepted, 0);
    assert!(started.load(std::sync::atomic::Ordering::Relaxed));
}

#[tokio::test]
async fn an_acceptors_sockets_run_the_layers_of_a_foreign_server() {
    let acceptor = Acceptor::new(greets(), Hub::default());
    let app = Router::new()
        .fallback_service(acceptor.sockets())
        .layer(axum::middleware::from_fn(session));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    for (user, status) in [("", 401), ("x-user: ann\r\n", 101)] {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let request = upgrade_request("/a").replace("\r\n\r\n", &format!("\r\n{user}\r\n"));
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
    }
}
