//! What a client asks for: URLs, tokens, subprotocols, and settings that are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crossws_client::{ConnectError, Reconnect, Status, TokenIn, connect};
use crossws_core::http::StatusCode;
use crossws_core::{Hooks, Limits, Rejection, Upgrade, UpgradeRequest, hooks};
use crossws_memory::TestServer;
use futures_lite::future::block_on;

#[test]
fn the_token_and_the_url_are_asked_for_each_try() {
    struct Guarded;
    impl Hooks for Guarded {
        async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
            use crossws_app::RequestExt;
            let path = request.path().to_owned();
            let token = request.bearer_token()?;
            match (path.as_str(), token) {
                ("/2", "token 2") => Ok(Upgrade::new()),
                _ => Err(Rejection::unavailable("another one")),
            }
        }
    }
    block_on(async {
        let server = TestServer::new(Guarded);
        let (urls, tokens) = (AtomicU32::new(0), Arc::new(AtomicU32::new(0)));
        let client = connect(move || format!("ws://a/{}", urls.fetch_add(1, Ordering::Relaxed)))
            .token(move || {
                let tokens = Arc::clone(&tokens);
                async move {
                    Ok::<_, std::io::Error>(format!(
                        "token {}",
                        tokens.fetch_add(1, Ordering::Relaxed)
                    ))
                }
            })
            .reconnect(Reconnect::backoff())
            .in_memory(&server)
            .start()
            .unwrap();
        server.advance(Duration::from_secs(10)).await;
        assert_eq!(client.status(), Status::Open);
    });
}

#[test]
fn tokens_may_be_in_the_query_or_a_subprotocol() {
    struct Guarded;
    impl Hooks for Guarded {
        async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
            use crossws_app::RequestExt;
            let token = match request.path() {
                "/query" => request.query_token("key")?.into_owned(),
                _ => request.protocol_token("bearer")?.to_owned(),
            };
            match token.as_str() {
                "a&b" | "a.b" => Ok(Upgrade::new().protocol("chat")),
                _ => Err(Rejection::from(StatusCode::FORBIDDEN)),
            }
        }
    }
    block_on(async {
        let server = TestServer::new(Guarded);
        let client = connect("ws://a/query?x=1").protocol("chat");
        let client = client.token_in(TokenIn::Query("key".into()), "a&b");
        let client = client.in_memory(&server).await.unwrap();
        assert_eq!(client.protocol().unwrap(), "chat");
        let client = connect("ws://a/protocol").protocols(["chat"]);
        let client = client.token_in(TokenIn::Protocol("bearer".into()), "a.b");
        let _open = client.in_memory(&server).await.unwrap();
        let client = connect("ws://a/protocol");
        let client = client.token_in(TokenIn::Protocol("bearer".into()), "a b");
        let error = client.in_memory(&server).await.unwrap_err();
        assert!(matches!(error, ConnectError::Header(_)), "{error}");
    });
}

#[test]
fn a_limit_that_nothing_could_come_of_is_refused_by_its_name() {
    block_on(async {
        let server = TestServer::new(hooks());
        for (client, name) in [
            (
                connect("ws://a/").heartbeat(Duration::ZERO),
                "`ping_interval`",
            ),
            (
                connect("ws://a/").limits(Limits::default().max_fragments(0)),
                "`max_fragments`",
            ),
        ] {
            let error = client.in_memory(&server).await.unwrap_err();
            assert!(matches!(error, ConnectError::Limit(_)), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        let client = connect("ws://a/").heartbeat(None);
        let _open = client.in_memory(&server).await.unwrap();
    });
}

#[test]
fn a_subprotocol_that_is_no_token_is_refused_by_its_name() {
    block_on(async {
        let server = TestServer::new(hooks());
        for (client, name) in [
            (
                connect("ws://a/").protocols(["chat", "not a token"]),
                "not a token",
            ),
            (connect("ws://a/").protocol(""), "\"\""),
            (
                connect("ws://a/").token_in(TokenIn::Protocol("a marker".into()), "secret"),
                "a marker",
            ),
        ] {
            let error = client.in_memory(&server).await.unwrap_err();
            assert!(matches!(error, ConnectError::Header(_)), "{error}");
            let text = error.to_string();
            assert!(text.contains(name) && !text.contains("secret"), "{text}");
        }
    });
}
