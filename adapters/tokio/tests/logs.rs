//! The log of refused upgrades: each refusal has a line, and no line shows a token.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{read_head, serve, upgrade_request};
use crossws_core::{Hooks, Rejection, Shutdown, Upgrade, UpgradeRequest};
use tracing_subscriber::fmt::MakeWriter;

/// The logged lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

struct Gate;

impl Hooks for Gate {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        match request.path() {
            "/closed" => Err(Rejection::unauthorized("Bearer")),
            "/broken" => Err(Rejection::internal("the database is gone")),
            _ => Ok(Upgrade::new()),
        }
    }
}

/// Logs into these lines, in this thread.
fn log_into(lines: &Lines) -> impl Sized + use<> {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    tracing_subscriber::util::SubscriberInitExt::set_default(subscriber)
}

/// Returns the one line that a refused request logs, on a server on the test's own thread.
async fn logged(request: String, status: u16) -> String {
    let lines = Lines::default();
    let guard = log_into(&lines);
    let server = serve(Gate).await;
    let mut stream = server.raw(&request).await;
    let head = read_head(&mut stream).await;
    drop(guard);
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    let text = lines.text();
    let ours: Vec<_> = text
        .lines()
        .filter(|line| line.contains("crossws") && !line.contains("a server listens"))
        .collect();
    let [line] = ours[..] else {
        panic!("one line for {request}, not {ours:?}");
    };
    line.to_owned()
}

#[tokio::test]
async fn a_foreign_origin_is_logged_with_both_values_and_the_setting() {
    let request = upgrade_request("/room?token=secret").replace(
        "Host: localhost",
        "Host: 127.0.0.1:3000\r\nOrigin: https://app.example",
    );
    let line = logged(request, 403).await;
    for part in [
        " INFO ",
        "crossws: rejected",
        "`https://app.example`",
        "`127.0.0.1:3000`",
        "Origin::listed",
        "path=\"/room\"",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!line.contains("secret"), "{line}");
}

#[tokio::test]
async fn a_refusal_without_a_source_is_logged() {
    let line = logged(upgrade_request("/closed?token=secret"), 401).await;
    for part in ["DEBUG ", "401", "path=\"/closed\"", "reason=\"rejected\""] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!line.contains("secret"), "{line}");
}

#[tokio::test]
async fn a_failure_of_the_server_is_an_error() {
    let line = logged(upgrade_request("/broken"), 500).await;
    for part in ["ERROR ", "the database is gone", "path=\"/broken\""] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[tokio::test]
async fn a_bad_request_is_logged_with_its_reason() {
    let keyless = upgrade_request("/").replace("Sec-WebSocket-Key", "X-Key");
    let line = logged(keyless, 400).await;
    for part in ["DEBUG ", "Sec-WebSocket-Key", "remote_addr=127.0.0.1"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let line = logged("GET\r\n\r\n".to_owned(), 400).await;
    assert!(
        line.contains("malformed request") || line.contains("not an HTTP request"),
        "{line}"
    );
}

#[tokio::test]
async fn a_shutdown_is_logged_when_it_begins_and_with_its_report() {
    let lines = Lines::default();
    let guard = log_into(&lines);
    let server = serve(Gate).await;
    let mut client = server.connect("/").await;
    let shutdown = Shutdown::default().delay(Duration::from_millis(1));
    let (report, _) = tokio::join!(server.handle.shutdown(shutdown), async {
        assert!(client.close_frame().await.is_some());
        client.end().await;
    });
    drop(guard);
    let text = lines.text();
    let line = |what: &str| {
        let line = text.lines().find(|line| line.contains(what));
        line.unwrap_or_else(|| panic!("{what} in {text}"))
    };
    let listens = line("a server listens");
    assert!(
        listens.contains(" INFO ") && listens.contains("addr=127.0.0.1:"),
        "{listens}"
    );
    let begins = line("a shutdown begins");
    for part in [
        " INFO ",
        "connections=1",
        "delay=1ms",
        "spread=0ns",
        "grace=30s",
    ] {
        assert!(begins.contains(part), "{part} in {begins}");
    }
    let ended = line("a shutdown has ended");
    assert!(ended.contains(&report.to_string()), "{ended}");
}
