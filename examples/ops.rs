//! What an operator expects of a server: health and readiness, metrics for Prometheus, an admin view, logs.
//!
//!     cargo run --example ops
//!     curl http://127.0.0.1:3000/metrics
//!     curl http://127.0.0.1:3000/admin
//!     websocat ws://127.0.0.1:3000/chat
//!
//! The server's terminal logs each connection and message; the pages count them. While it stops, `/readyz` is a 503.
//!
//! `/metrics` and `/admin` tell more than strangers should read: let the proxy keep them inside.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use crossws::metrics::Metrics;
use crossws::prelude::*;
use crossws::tokio::{Server, Shutdown, stop_signal};
use crossws::{BoxError, HubSnapshot, Level};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

struct Chat;

impl Hooks for Chat {
    async fn open(&self, peer: &Peer) -> HookResult {
        peer.subscribe("chat")?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        peer.to("chat").including_self().send(message)?;
        Ok(())
    }
}

/// A hub whose connections, messages and HTTP requests are logged, and counted for Prometheus.
fn hub() -> Hub {
    Hub::builder()
        .observer(Metrics::new())
        .trace(Level::DEBUG)
        .build()
}

/// For a load balancer: whether new clients should come here.
async fn ready(Extension(hub): Extension<Hub>) -> StatusCode {
    match hub.is_ready() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn admin(Extension(hub): Extension<Hub>) -> axum::Json<HubSnapshot> {
    axum::Json(hub.snapshot())
}

async fn metrics(State(exporter): State<PrometheusHandle>) -> String {
    exporter.render()
}

fn pages(exporter: PrometheusHandle) -> axum::Router {
    axum::Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/admin", get(admin))
        .with_state(exporter)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_writer(std::io::stderr)
        .init();
    // The exporter first: metrics go to the one that is installed.
    let exporter = PrometheusBuilder::new().install_recorder()?;
    let server = Server::builder(Router::new().route("/chat", Chat))
        .hub(hub())
        .http(pages(exporter))
        .bind("127.0.0.1:3000")
        .await?;
    let shutdown = Shutdown::default().delay(Duration::from_secs(5));
    println!("{}", server.run_until(stop_signal()?, shutdown).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossws::memory::TestServer;
    use serde_json::Value;

    #[tokio::test]
    async fn an_operator_sees_what_happens() {
        let exporter = PrometheusBuilder::new().install_recorder().unwrap();
        let server = TestServer::builder(Router::new().route("/chat", Chat))
            .hub(hub())
            .http(pages(exporter))
            .build();
        let text = async |path: &str| {
            let response = server.get(path).await.unwrap();
            (response.status(), response.text().unwrap().to_owned())
        };
        let mut ann = server.connect("/chat?token=secret").await.unwrap();
        ann.send("hello").unwrap();
        assert_eq!(ann.next().await.unwrap().text(), Ok("hello"));
        assert_eq!(text("/healthz").await.0, StatusCode::OK);
        assert_eq!(text("/readyz").await.0, StatusCode::OK);
        let (_, metrics) = text("/metrics").await;
        for line in [
            "crossws_connections 1",
            "crossws_messages_total{direction=\"in\"} 1",
            "crossws_bytes_total{direction=\"out\"} 5",
        ] {
            assert!(metrics.contains(line), "{line} in {metrics}");
        }
        let (_, admin) = text("/admin").await;
        assert!(!admin.contains("secret"), "{admin}");
        let admin: Value = serde_json::from_str(&admin).unwrap();
        assert_eq!(admin["stats"]["traffic"]["received_bytes"], 5);
        assert_eq!(admin["namespaces"][0]["topics"][0]["name"], "chat");
        assert_eq!(admin["peers"][0]["route"], "/chat");
        assert_eq!(admin["routes"][0]["peers"], 1);
        server.hub().turn_away();
        assert_eq!(text("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
