//! What Prometheus reads of a hub.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use crossws_core::http::StatusCode;
use crossws_core::{
    CloseCode, Hub, Limits, Overflow, RejectReason, Rejection, Responded, Upgrade, hooks,
};
use crossws_memory::TestServer;
use crossws_metrics::Metrics;
use futures_lite::future::block_on;
use metrics_exporter_prometheus::PrometheusBuilder;

/// The names of the table in the documentation of `Metrics`.
fn documented() -> Vec<String> {
    let source = include_str!("../src/lib.rs");
    let cells = source
        .lines()
        .filter_map(|line| line.strip_prefix("/// | `"))
        .filter_map(|line| line.split_once(" | "))
        .flat_map(|(names, _)| names.split(", "));
    cells
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn prometheus_reads_every_metric_that_is_documented() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let exporter = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    let limits = Limits::default()
        .max_queued(1)
        .overflow(Overflow::DropNewest);
    let hub = Hub::builder()
        .observer(Metrics::new())
        .limits(limits)
        .build();
    block_on(run(hub));
    let page = exporter.render();
    for name in documented() {
        assert!(
            page.contains(&format!("# TYPE {name} ")),
            "{name} in {page}"
        );
        assert!(
            page.contains(&format!("# HELP {name} ")),
            "{name} in {page}"
        );
    }
    for line in [
        "crossws_connections 1",
        "crossws_connected_total 2",
        "crossws_disconnected_total{by=\"client\",code=\"1000\"} 1",
        "crossws_rejected_total{reason=\"rejected\"} 1",
        "crossws_rejected_total{reason=\"malformed\"} 1",
        "crossws_messages_total{direction=\"in\"} 2",
        "crossws_bytes_total{direction=\"in\"} 7",
        "crossws_messages_total{direction=\"out\"} 2",
        "crossws_published_total 2",
        "crossws_slow_total 1",
        "crossws_failed_total 1",
        "crossws_http_responses_total{status=\"200\"} 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} in {page}");
    }
    assert!(
        page.contains("crossws_dropped_total{cause=\"overflow\"}"),
        "{page}"
    );
}

async fn run(hub: Hub) {
    let app = hooks()
        .on_upgrade(|request| async move {
            match request.path() {
                "/no" => Err(Rejection::from(StatusCode::FORBIDDEN)),
                _ => Ok(Upgrade::new().namespace("all")),
            }
        })
        .on_open(|peer| async move { peer.subscribe("t").map(drop) })
        .on_message(|peer, message| async move {
            if message.text()? == "fail" {
                return Err("failed".into());
            }
            peer.send(message)?;
            crossws_core::ok()
        })
        .on_error(|_, _| async move { crossws_core::OnError::Keep });
    let server = TestServer::builder(app).hub(hub.clone()).build();
    let mut ann = server.connect("/").await.unwrap();
    assert!(server.connect("/no").await.is_err());
    ann.send("hey").unwrap();
    assert_eq!(ann.next().await.unwrap().text(), Ok("hey"));
    ann.send("fail").unwrap();
    let mut bob = server.connect("/").await.unwrap();
    bob.close(CloseCode::NORMAL, "");
    assert_eq!(bob.closed().await.code, 1000);
    ann.pause();
    let topic = || hub.in_namespace("all").topic("t");
    topic().send("x").unwrap();
    // It does not fit into the connection, and the next does not fit into the queue.
    server.settle().await;
    topic().send("x").unwrap();
    hub.rejected(
        RejectReason::Malformed,
        &Rejection::from(StatusCode::BAD_REQUEST),
        "",
        None,
    );
    let took = Duration::from_millis(3);
    hub.responded(&Responded::new("GET", "/", StatusCode::OK, took));
    server.settle().await;
    std::mem::forget(ann);
}
