//! The client's address behind proxies, and the limits per address.

use std::net::SocketAddr;

use crossws_app::{PerAddress, Router, behind_proxies};
use crossws_core::hooks;
use crossws_memory::TestServer;

use crate::common::block_on;

fn shows_address() -> Router {
    let hooks = hooks().on_open(|peer| async move {
        let addr = peer.remote_addr().map(|addr| addr.ip().to_string());
        peer.send(format!(
            "{} {}",
            addr.unwrap_or_default(),
            peer.request().websocket_url()
        ))
    });
    Router::new().route("/", hooks)
}

#[test]
fn an_address_has_so_many_connections_at_once() {
    block_on(async {
        let limit = PerAddress::new().connections(2);
        let server = TestServer::new(Router::new().layer(limit).route("/", hooks()));
        let from = |last: u8| SocketAddr::from(([192, 0, 2, last], 1));
        let one = server.connect("/").remote_addr(from(1)).await.unwrap();
        let _two = server.connect("/").remote_addr(from(1)).await.unwrap();
        let _other = server.connect("/").remote_addr(from(2)).await.unwrap();
        let refused = server.connect("/").remote_addr(from(1)).await.unwrap_err();
        assert_eq!(refused.status(), 429);
        assert!(refused.response().headers().contains_key("retry-after"));
        // A remaining handle holds no slot.
        let handles = server.hub().peers();
        drop(one);
        server.settle().await;
        assert!(server.connect("/").remote_addr(from(1)).await.is_ok());
        drop(handles);
    });
}

#[test]
fn what_proxies_say_is_believed_if_that_is_asked_for() {
    block_on(async {
        let server = TestServer::new(
            Router::new()
                .layer(behind_proxies(2))
                .merge(shows_address()),
        );
        // The client has written the first itself.
        let client = server
            .connect("/")
            .header("x-forwarded-for", "6.6.6.6, 192.0.2.7")
            .header("x-forwarded-for", "10.0.0.1")
            .header("x-forwarded-proto", "https, http");
        let mut client = client.await.unwrap();
        assert_eq!(
            client.next().await.unwrap().text(),
            Ok("192.0.2.7 wss://localhost/")
        );

        let untold = TestServer::new(shows_address());
        let client = untold.connect("/").header("x-forwarded-for", "192.0.2.7");
        let said = client.await.unwrap().next().await.unwrap();
        assert!(!said.text().unwrap().contains("192.0.2.7"));
    });
}

#[test]
fn what_only_the_client_can_have_written_is_not_believed() {
    block_on(async {
        let server = TestServer::new(
            Router::new()
                .layer(behind_proxies(2))
                .merge(shows_address()),
        );
        let direct = TestServer::new(
            Router::new()
                .layer(behind_proxies(0))
                .merge(shows_address()),
        );
        for (server, lie) in [
            (&server, "6.6.6.6"),
            (&server, "nonsense, 1.1.1.1"),
            (&server, ""),
            (&server, ",,,"),
            (&direct, "6.6.6.6"),
        ] {
            let client = server.connect("/").header("x-forwarded-for", lie);
            let said = client.await.unwrap().next().await.unwrap();
            assert!(
                said.text().unwrap().starts_with("127.0.0.1 "),
                "{lie}: {said:?}"
            );
        }
    });
}
