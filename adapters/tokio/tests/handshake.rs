//! How a server handles unusual but valid requests, and how it refuses invalid ones: through its
//! own reader of heads, in a later request of a connection, and in a foreign server.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use common::doors::{DOORS, Door, ask, ends, header, status};
use common::{start, upgrade_request};
use crossws_core::http::Response;
use crossws_core::{
    Deflate, Hooks, Hub, Origin, Rejection, Resolve, Upgrade, UpgradeRequest, resolve_with,
};
#[cfg(feature = "http2")]
use crossws_tokio::Http2;
use crossws_tokio::{Acceptor, HeadLimits, Server};
use tokio::net::TcpStream;

/// Hooks at `/ws`, which refuse at `/ws/closed`; everything else belongs to the HTTP service.
fn sockets() -> impl Resolve {
    let hooks = Arc::new(Gate);
    resolve_with(move |request| {
        request
            .path()
            .starts_with("/ws")
            .then(|| Arc::clone(&hooks))
    })
}

struct Gate;

impl Hooks for Gate {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        match request.path() {
            "/ws/closed" => Err(Rejection::unauthorized("Bearer")),
            "/ws/broken" => panic!("a hook's own"),
            "/ws/busy" => Err(Rejection::unavailable("later")),
            // With a header that only the server may set.
            "/ws/moved" => {
                let moved = Response::builder()
                    .status(302)
                    .header("Location", "/ws/there");
                let moved = moved.header("Connection", "keep-alive").body("there");
                Err(moved.unwrap().into())
            }
            _ => Ok(Upgrade::new().header("X-Room", "lobby")?),
        }
    }
}

async fn connect(door: Door) -> TcpStream {
    let hub = Hub::builder().deflate(Deflate::default()).build();
    common::doors::connect(door, sockets(), hub).await
}

#[tokio::test]
async fn odd_but_good_handshakes_are_accepted() {
    let plain = upgrade_request("/ws");
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let odd = [
        // RFC 6455 section 4.1 prints this key, whose last bits are not zero.
        plain.replace(key, "AQIDBAUGBwgJCgsMDQ4PEC=="),
        plain.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions:\r\n\r\n"),
        plain.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: , \r\n\r\n"),
        plain
            .to_uppercase()
            .replace("/WS", "/ws")
            .replace(&key.to_uppercase(), key),
        plain.replace("Sec-WebSocket-Key", "sEC-wEBSOCKET-kEY"),
        plain.replace("GET /ws", "GET http://localhost/ws"),
        plain.replace("GET /ws", "GET HTTPS://localhost/ws?a=b"),
        plain.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
        plain.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol:\r\n\r\n"),
        plain.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: ,, \r\n\r\n"),
        plain.replace("Version: 13", "Version: \t13 \t"),
        plain.replace(
            "Connection: Upgrade",
            "Connection: , keep-alive ,, upgrade\t,",
        ),
        plain.replace("Upgrade: websocket", "Upgrade: h2c, WebSocket"),
        plain.replace("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: websocket"),
        plain.replace(
            "\r\n\r\n",
            "\r\nSec-WebSocket-Extensions: foo; bar=\"a\"; baz, other\r\n\r\n",
        ),
        plain.replace(
            "\r\n\r\n",
            "\r\nSec-WebSocket-Extensions: permessage-deflate; later=1\r\n\r\n",
        ),
        plain.replace(
            "\r\n\r\n",
            "\r\nCookie: name=Zażółć\r\nX-Name: caf\u{e9}\r\n\r\n",
        ),
        plain.replace("\r\n", "\n"),
        format!("\r\n{plain}"),
    ];
    for door in DOORS {
        for request in &odd {
            let head = ask(&mut connect(door).await, request).await;
            assert_eq!(status(&head), 101, "{door:?}: {request}\n{head}");
            assert!(header(&head, "sec-websocket-extensions").is_empty());
        }
    }
}

#[tokio::test]
async fn a_key_of_another_length_is_refused() {
    for key in [
        "AQIDBAUGBwgJCgsMDQ4PE===",
        "AQIDBAUGBwgJCgsMDQ4PECA=",
        "=QIDBAUGBwgJCgsMDQ4PEC==",
    ] {
        let request = upgrade_request("/ws").replace("dGhlIHNhbXBsZSBub25jZQ==", key);
        let head = ask(&mut connect(Door::First).await, &request).await;
        assert_eq!(status(&head), 400, "{key}");
    }
}

#[tokio::test]
async fn a_101_spells_its_headers_as_the_rfc_does() {
    let request = upgrade_request("/ws").replace(
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    );
    let head = ask(&mut connect(Door::First).await, &request).await;
    for line in [
        "\r\nConnection: Upgrade\r\n",
        "\r\nUpgrade: websocket\r\n",
        "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate",
        // The `http` crate keeps names in lower case.
        "\r\nx-room: lobby\r\n",
    ] {
        assert!(head.contains(line), "{line:?} in {head}");
    }
}

#[tokio::test]
async fn a_target_that_is_not_a_path_is_refused() {
    for door in DOORS {
        for target in [
            "*",
            "ws",
            "localhost:80",
            "ftp://localhost/ws",
            "ws:/ws",
            "/ws#fragment",
        ] {
            if target.contains('#') && door != Door::First {
                // hyper cuts the fragment off before crossws sees the target.
                continue;
            }
            let request = upgrade_request(target);
            let mut stream = connect(door).await;
            let head = ask(&mut stream, &request).await;
            assert_eq!(status(&head), 400, "{door:?}: {target}\n{head}");
            ends(&mut stream).await;
        }
    }
}

#[tokio::test]
async fn every_refused_upgrade_ends_the_connection() {
    let version = |request: String| request.replace("Version: 13", "Version: 8");
    let refused = [
        (401, upgrade_request("/ws/closed")),
        (426, version(upgrade_request("/ws"))),
        (
            400,
            upgrade_request("/ws").replace("Sec-WebSocket-Key", "X-Key"),
        ),
        (
            403,
            upgrade_request("/ws").replace("Upgrade:", "Origin: http://evil.example\r\nUpgrade:"),
        ),
        (405, upgrade_request("/ws").replace("GET", "PUT")),
        (414, upgrade_request(&format!("/ws/{}", "x".repeat(9_000)))),
        (500, upgrade_request("/ws/broken")),
        (503, upgrade_request("/ws/busy")),
        (302, upgrade_request("/ws/moved")),
    ];
    for door in DOORS {
        for (expected, request) in &refused {
            let mut stream = connect(door).await;
            let head = ask(&mut stream, request).await;
            assert_eq!(status(&head), *expected, "{door:?}: {request}");
            let connection = match expected {
                426 => "upgrade, close",
                _ => "close",
            };
            assert_eq!(
                header(&head, "connection"),
                [connection],
                "{door:?}: {head}"
            );
            ends(&mut stream).await;
        }
    }
}

#[tokio::test]
async fn a_426_names_the_protocol_and_its_version() {
    for door in DOORS {
        let request = upgrade_request("/ws").replace("Version: 13", "Version: 8");
        let head = ask(&mut connect(door).await, &request).await;
        assert_eq!(header(&head, "upgrade"), ["websocket"]);
        assert_eq!(header(&head, "sec-websocket-version"), ["13"]);
    }
}

#[tokio::test]
async fn an_upgrade_in_http_1_0_is_for_the_http_service() {
    for door in DOORS {
        let request = upgrade_request("/ws").replace("HTTP/1.1", "HTTP/1.0");
        let mut stream = connect(door).await;
        let head = ask(&mut stream, &request).await;
        // Of the sockets inside, it is a page that there is not.
        let expected = if door == Door::Through { 404 } else { 200 };
        assert_eq!(status(&head), expected, "{door:?}: {head}");
    }
    // Without an HTTP service it is not an upgrade either.
    let server = start(Server::builder(sockets())).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let request = upgrade_request("/ws").replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(status(&ask(&mut stream, &request).await), 404);
}

#[tokio::test]
async fn a_page_whose_port_a_proxy_has_dropped_may_connect() {
    // nginx's `proxy_set_header Host $host`: the page's origin has the proxy's port 8080.
    let origin = |host: &str| {
        let host = format!("Host: {host}\r\nOrigin: http://chat.example:8080");
        upgrade_request("/ws").replace("Host: localhost", &host)
    };
    for door in DOORS {
        let mut request = origin("chat.example");
        if door == Door::Foreign {
            // The server does not know the page's port. It does see the other headers that a proxy
            // adds.
            assert_eq!(status(&ask(&mut connect(door).await, &request).await), 403);
            request = request.replace("Host:", "X-Forwarded-For: 192.0.2.1\r\nHost:");
        }
        assert_eq!(
            status(&ask(&mut connect(door).await, &request).await),
            101,
            "{door:?}"
        );
        // Another host, and another port that is named, are other origins.
        for host in ["other.example", "chat.example:80"] {
            let head = ask(&mut connect(door).await, &origin(host)).await;
            assert_eq!(status(&head), 403, "{door:?}: {host}");
        }
    }
}

#[tokio::test]
async fn an_origin_that_no_page_has_keeps_the_server_from_starting() {
    let origin = Origin::listed(["https://app.example/", "app.example"]);
    let server = Server::builder(sockets()).origin(origin);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let error = server.run().await.unwrap_err().to_string();
    assert!(error.contains("`app.example`"), "{error}");
}

#[tokio::test]
async fn bounds_that_let_no_request_in_keep_the_server_from_starting() {
    let head = |change: fn(&mut HeadLimits)| {
        let mut head = HeadLimits::default();
        change(&mut head);
        head
    };
    for (head, named) in [
        (
            head(|it| it.timeout = Duration::ZERO),
            "`HeadLimits::timeout`",
        ),
        (head(|it| it.max_head = 0), "`HeadLimits::max_head`"),
        (head(|it| it.max_line = 0), "`HeadLimits::max_line`"),
        (head(|it| it.max_headers = 0), "`HeadLimits::max_headers`"),
    ] {
        let server = Server::builder(sockets()).head_limits(head.clone());
        let error = server.bind("127.0.0.1:0").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(named), "{error}");
        let acceptor = Acceptor::builder(sockets()).head_limits(head).build();
        let error = acceptor.start().await.unwrap_err().to_string();
        let begins = format!("the settings cannot be used: {named}");
        assert!(error.starts_with(&begins), "{error}");
    }
    #[cfg(feature = "http2")]
    for (http2, named) in [
        (Http2::default().max_streams(0), "`Http2::max_streams`"),
        (Http2::default().stream_window(0), "`Http2::stream_window`"),
    ] {
        let server = Server::builder(sockets()).http2(http2);
        let error = server.bind("127.0.0.1:0").await.unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
    // A connection that waits for no other request is one of one request.
    let head = head(|it| it.keep_alive = Duration::ZERO);
    let server = Server::builder(sockets()).head_limits(head);
    let _server = server.bind("127.0.0.1:0").await.unwrap();
}
