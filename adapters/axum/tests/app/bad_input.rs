//! What a client asks an axum app for wrongly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use crossws_app::route;
use crossws_axum::websocket;
use crossws_core::{Hub, Upgrade, hooks};
use serde::Deserialize;

use crate::{request, serve};

/// Asks for a WebSocket and returns the whole response, which is a refusal.
async fn refused(addr: SocketAddr, target: &str) -> String {
    let text = format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    request(addr, &text).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    #[serde(rename = "page")]
    _page: u32,
}

#[derive(Deserialize)]
struct Door {
    #[serde(rename = "door")]
    _door: u32,
}

#[tokio::test]
async fn what_a_client_asks_for_wrongly_is_a_4xx_that_names_it_before_any_hook() {
    let upgrades = Arc::new(AtomicUsize::new(0));
    let counted = {
        let upgrades = Arc::clone(&upgrades);
        hooks().on_upgrade(move |_| {
            upgrades.fetch_add(1, Ordering::Relaxed);
            async { Ok(Upgrade::new()) }
        })
    };
    let counted = Arc::new(counted);
    let files = route(Arc::clone(&counted)).query::<Search>();
    let app = Router::new()
        .route("/files/{*path}", websocket(files))
        .route("/doors/{room}", websocket(route(counted).path::<Door>()));
    let addr = serve(app.with_state(Hub::default())).await;
    let segments = format!("/files{}?page=1", "/a".repeat(10_000));
    let query = format!("/files/a?page=1&{}", "a".repeat(16 << 10));
    for (target, status, said) in [
        ("/files/%FF?page=1", 400, "Invalid UTF-8 in `path`"),
        (&segments, 414, "too long"),
        (&query, 414, "too long"),
        ("/files/a?page=1&page=2", 400, "`page` has several values"),
        ("/files/a?page=x", 400, "`page` is not valid"),
        ("/files/a", 400, "`page` is missing"),
        ("/files/a?page=1&sort=up", 400, "`sort` is unknown"),
        ("/doors/7", 400, "`door` is missing"),
    ] {
        let response = refused(addr, target).await;
        let begin = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&begin), "{said}: {response}");
        assert!(response.contains(said), "{said}: {response}");
    }
    assert_eq!(upgrades.load(Ordering::Relaxed), 0);
}
