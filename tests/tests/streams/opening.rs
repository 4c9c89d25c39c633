//! How a stream becomes a WebSocket, and which do not.

use std::convert::Infallible;
use std::task::{Context, Poll};

use crossws_core::{Body, CloseCode, Deflate, Hub, SharedResolver, Upgrade, hooks, resolve_with};
use crossws_sse::EventSockets;
use h2::ext::Protocol;
use http::{HeaderMap, Method};
use http_body_util::Full;
use tower_service::Service;

use super::*;

/// Responds to every request with a page.
#[derive(Clone)]
struct Page;

impl Service<Request<Body>> for Page {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let text = format!("{} {}", request.method(), request.uri().path());
        let page = Response::builder().header("connection", "keep-alive");
        std::future::ready(Ok(page.body(Full::from(text)).unwrap()))
    }
}

#[test]
fn two_websockets_and_pages_share_a_connection() {
    run(async {
        let echo = std::sync::Arc::new(echo());
        let rooms =
            resolve_with(move |request| request.path().starts_with("/room").then(|| echo.clone()));
        let server = start(Server::builder(rooms).http(Page).http2(known())).await;
        let connection = server.dial().await;
        assert!(connection.offers_connect());
        let mut one = open(&connection, "/room/1").await;
        let mut two = open(&connection, "/room/2").await;
        let page = connection.request(Request::get("/page").body(Bytes::new()).unwrap());
        let page = soon("a page", page).await.unwrap();
        assert_eq!(page.body(), "GET /page");
        assert!(page.headers().contains_key("date"));
        works(&mut two).await;
        works(&mut one).await;
        let peers = server.handle.hub().peers();
        let addrs: Vec<_> = peers.iter().map(|peer| peer.remote_addr()).collect();
        assert_eq!(addrs.len(), 2);
        assert!(addrs[0].is_some());
        assert_eq!(addrs[0], addrs[1], "one connection of TCP");
    });
}

#[test]
fn the_hooks_see_the_request_with_its_host() {
    run(async {
        let hooks = hooks().on_upgrade(|request| {
            let seen = format!(
                "{} {:?} {} {:?}",
                request.method(),
                request.parts().version,
                request.url(),
                request.header("host"),
            );
            async move { Ok(Upgrade::new().header("x-seen", &seen)?) }
        });
        let server = start(Server::builder(hooks).http2(known())).await;
        let mut request = get("/chat?a=1");
        let host = "app.example:8080".parse().unwrap();
        request.headers_mut().insert("host", host);
        let opened = server.dial().await.open(request).await;
        let (response, _) = opened.unwrap();
        assert_eq!(
            response.headers()["x-seen"],
            "GET HTTP/2.0 http://app.example:8080/chat?a=1 Some(\"app.example:8080\")"
        );
    });
}

#[test]
fn the_authority_takes_the_place_of_a_host_header() {
    run(async {
        let hooks = hooks().on_upgrade(|request| {
            let hosts: Vec<_> = request
                .values(&http::header::HOST)
                .map(<[u8]>::to_vec)
                .collect();
            let hosts = String::from_utf8(hosts.join(&b", "[..])).unwrap();
            async move { Ok(Upgrade::new().header("x-hosts", &hosts)?) }
        });
        let server = start(Server::builder(hooks).http2(known())).await;
        let connection = server.dial().await;
        let mut request = connection.connect(get("/"));
        for other in ["app.example", "evil.example"] {
            request.headers_mut().append("host", other.parse().unwrap());
        }
        let (response, _stream) = connection.begin(request).await.unwrap();
        let response = soon("a response", response).await.unwrap();
        assert_eq!(response.headers()["x-hosts"], "localhost");
    });
}

#[test]
fn hooks_over_an_event_stream_see_the_request_of_http_1() {
    run(async {
        let hooks = SharedResolver::new(hooks().on_open(|peer| async move {
            let request = peer.request();
            peer.send(format!("{:?} {}", request.header("host"), request.uri()))?;
            peer.close(CloseCode::NORMAL, "");
            crossws_core::ok()
        }));
        let hub = Hub::default();
        let streams = EventSockets::new(hooks.clone(), &hub);
        let builder = Server::builder(hooks).hub(hub).http(streams);
        let server = start(builder.http2(known())).await;
        let request = Request::get("/chat?a=1").header("accept", "text/event-stream");
        let request = request.header("host", "app.example").body(Bytes::new());
        let stream = server.dial().await;
        let stream = soon("a stream", stream.request(request.unwrap())).await;
        let text = String::from_utf8(stream.unwrap().into_body().to_vec()).unwrap();
        let seen = "data: Some(\"app.example\") /chat?a=1\n";
        assert!(text.contains(seen), "{text}");
    });
}

#[test]
fn a_connect_that_is_not_for_a_websocket_is_501() {
    run(async {
        let server = start(Server::builder(echo()).http(Page).http2(known())).await;
        let connection = server.dial().await;
        let mut tunnel = connection.connect(get("/"));
        tunnel.extensions_mut().remove::<Protocol>();
        *tunnel.uri_mut() = "example.org:443".parse().unwrap();
        assert_eq!(refused(&connection, tunnel).await, 501);
        let mut other = connection.connect(get("/"));
        let protocol = Protocol::from_static("connect-udp");
        other.extensions_mut().insert(protocol);
        assert_eq!(refused(&connection, other).await, 501);
        assert_eq!(server.handle.hub().stats().peers, 0);
        works(&mut open(&connection, "/").await).await;
    });
}

#[test]
fn a_broken_handshake_is_400_and_ends_no_other_stream() {
    run(async {
        let server = serve().await;
        let connection = server.dial().await;
        let mut other = open(&connection, "/").await;
        for (name, value) in [
            ("content-length", "5"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-version", ""),
        ] {
            let mut request = connection.connect(get("/"));
            request.headers_mut().insert(name, value.parse().unwrap());
            assert_eq!(refused(&connection, request).await, 400, "{name}: {value}");
        }
        works(&mut other).await;
    });
}

#[test]
fn a_page_does_not_open_a_tunnel() {
    run(async {
        let none = resolve_with(|_| None::<std::sync::Arc<crossws_core::HooksBuilder>>);
        let server = start(Server::builder(none).http(Page).http2(known())).await;
        let refused = server.dial().await.open(get("/page")).await;
        let refusal = refused.unwrap_err().unwrap();
        assert_eq!(refusal.status(), 404);
        assert_eq!(refusal.body(), "CONNECT /page");
    });
}

#[test]
fn sockets_inside_the_service_are_upgraded_too() {
    run(async {
        let builder = Server::builder(echo()).http2(known());
        let server = start(builder.http_through(|sockets| sockets.or(Page))).await;
        let connection = server.dial().await;
        works(&mut open(&connection, "/").await).await;
        let page = Request::get("/page").body(Bytes::new()).unwrap();
        let page = soon("a page", connection.request(page)).await.unwrap();
        assert_eq!(page.body(), "GET /page");
    });
}

#[test]
fn without_a_service_other_requests_are_404() {
    run(async {
        let server = serve().await;
        let connection = server.dial().await;
        let page = Request::get("/page").body(Bytes::new()).unwrap();
        assert_eq!(connection.request(page).await.unwrap().status(), 404);
        works(&mut open(&connection, "/").await).await;
    });
}

#[test]
fn origins_are_compared_with_the_authority() {
    run(async {
        let server = serve().await;
        let connection = server.dial().await;
        for (origin, admitted) in [
            ("http://app.example", true),
            ("https://app.example", true),
            ("http://app.example:8080", false),
            ("http://evil.example", false),
            ("null", false),
        ] {
            let mut request = get("/");
            let headers: &mut HeaderMap = request.headers_mut();
            headers.insert("host", "app.example:80".parse().unwrap());
            if origin.starts_with("https") {
                headers.insert("host", "app.example:443".parse().unwrap());
            }
            headers.insert("origin", origin.parse().unwrap());
            let opened = connection.open(request).await;
            let status = opened.err().map(|refusal| refusal.unwrap().status());
            assert_eq!(
                status,
                (!admitted).then_some(StatusCode::FORBIDDEN),
                "{origin}"
            );
        }
    });
}

#[test]
fn subprotocols_and_compression_are_negotiated() {
    run(async {
        let builder = Server::builder(echo())
            .protocols(["chat.v1"])
            .deflate(Deflate::default());
        let server = start(builder.http2(known())).await;
        let mut request = get("/");
        let headers = request.headers_mut();
        headers.insert(
            "sec-websocket-protocol",
            "chat.v2, chat.v1".parse().unwrap(),
        );
        headers.insert(
            "sec-websocket-extensions",
            "permessage-deflate".parse().unwrap(),
        );
        let (response, _) = server.dial().await.open(request).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat.v1");
        let extensions = &response.headers()["sec-websocket-extensions"];
        assert!(
            extensions
                .to_str()
                .unwrap()
                .starts_with("permessage-deflate")
        );
    });
}

#[test]
fn prior_knowledge_is_refused_where_it_is_not_asked_for() {
    run(async {
        let server = start(Server::builder(echo()).http2(crossws_tokio::Http2::default())).await;
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        let mut response = String::new();
        soon("a response", stream.read_to_string(&mut response))
            .await
            .unwrap();
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    });
}

#[test]
fn a_method_other_than_connect_is_not_a_websocket() {
    run(async {
        let server = serve().await;
        let connection = server.dial().await;
        let mut request = connection.connect(get("/"));
        *request.method_mut() = Method::GET;
        let (response, _stream) = connection.begin(request).await.unwrap();
        // `:protocol` without CONNECT is malformed (RFC 8441 section 4): the stream is reset.
        let answered = soon("an answer", response).await;
        assert!(answered.is_err_and(|error| error.is_reset()));
        works(&mut open(&connection, "/").await).await;
    });
}
