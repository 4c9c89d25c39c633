//! `docs/operations.md` lists the events and spans that are logged, and what it lists is what is.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crossws::memory::TestServer;
use crossws::{CloseCode, Hub, Level, Limits, Message, Overflow, Rejection, Trace, Upgrade, hooks};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

fn page() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join("docs/operations.md")).unwrap()
}

/// The names in backquotes of a cell.
fn names(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The table whose first column has this title: its rows by name.
fn table(page: &str, title: &str) -> BTreeMap<String, Vec<String>> {
    let (_, table) = page.split_once(&format!("\n| {title} | ")).unwrap();
    let rows = table.lines().skip(2);
    let rows = rows.map_while(|line| line.strip_prefix("| "));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        (names(cells[0]).remove(0), names(cells.last().unwrap()))
    })
    .collect()
}

/// What was logged: fields of events and of spans by name, texts, parents, and what follows from what.
#[derive(Default)]
struct Seen {
    events: BTreeMap<String, Vec<String>>,
    spans: BTreeMap<String, Vec<String>>,
    levels: BTreeMap<String, BTreeSet<Level>>,
    parents: BTreeSet<(String, String)>,
    follows: BTreeSet<(String, String)>,
    text: String,
}

#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Seen>>);

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}

fn fields(metadata: &Metadata<'_>) -> Vec<String> {
    let fields = metadata
        .fields()
        .iter()
        .map(|field| field.name().to_owned());
    fields.filter(|name| name != "message").collect()
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Watch {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() != "crossws" {
            return;
        }
        let mut seen = self.0.lock().unwrap();
        let name = metadata.name().to_owned();
        seen.text.push_str(&format!("\n{name}:"));
        event.record(&mut Text(&mut seen.text));
        if let Some(span) = context.event_span(event) {
            seen.parents.insert((name.clone(), span.name().to_owned()));
        }
        let levels = seen.levels.entry(name.clone()).or_default();
        levels.insert(*metadata.level());
        seen.events.insert(name, fields(metadata));
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        if metadata.target() != "crossws" {
            return;
        }
        let mut seen = self.0.lock().unwrap();
        let name = metadata.name().to_owned();
        attributes.record(&mut Text(&mut seen.text));
        if let Some(parent) = context.span(id).and_then(|span| span.parent()) {
            seen.parents
                .insert((name.clone(), parent.name().to_owned()));
        }
        seen.spans.insert(name, fields(metadata));
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, context: Context<'_, S>) {
        let name = |id| context.span(id).unwrap().name().to_owned();
        let pair = (name(span), name(follows));
        self.0.lock().unwrap().follows.insert(pair);
    }
}

/// A room whose members are slow, refused, fail, and hear one another.
fn app() -> impl crossws::Resolve {
    hooks()
        .on_upgrade(|request| async move {
            match request.path() {
                "/no" => Err(Rejection::unauthorized("Bearer")),
                _ => Ok(Upgrade::new().namespace("all").topic("t")),
            }
        })
        .on_message(|peer, message: Message| async move {
            if message.text()? == "fail" {
                return Err("a hook's own".into());
            }
            peer.publish("t", message)?;
            crossws::ok()
        })
}

async fn talk(hub: Hub) {
    let server = TestServer::builder(app()).hub(hub.clone()).build();
    let mut ann = server.connect("/ann?token=hidden").await.unwrap();
    let mut bob = server
        .connect("/bob")
        .header("cookie", "hidden")
        .await
        .unwrap();
    assert!(server.connect("/no?token=hidden").await.is_err());
    ann.send("password=hidden and more").unwrap();
    assert!(bob.next().await.is_some());
    bob.pause();
    for _ in 0..3 {
        let topic = hub.in_namespace("all").topic("t");
        topic.send("news").unwrap();
    }
    server.settle().await;
    ann.close(CloseCode::NORMAL, "");
    ann.closed().await;
    bob.resume();
    bob.send("fail").unwrap();
    assert_eq!(bob.closed().await.code, 1011);
    server.settle().await;
}

/// An HTTP request to a server with pages, over a socket.
async fn read_a_page(hub: Hub) {
    let pages = axum::Router::new().fallback(|| async { "a page" });
    let server = crossws::tokio::Server::builder(app()).hub(hub).http(pages);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    let read = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        let request = b"GET /page?token=hidden HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("a page"), "{answer}");
    });
    let stopped = async {
        read.await.unwrap();
        handle.shutdown(crossws::Shutdown::default()).await;
    };
    let (ran, ()) = tokio::join!(server.run(), stopped);
    ran.unwrap();
}

/// What is logged of all this.
async fn logged(trace: Option<Trace>) -> Seen {
    let watch = Watch::default();
    let subscriber = tracing_subscriber::registry().with(watch.clone());
    let guard = tracing::subscriber::set_default(subscriber);
    let limits = Limits::default()
        .max_queued(1)
        .overflow(Overflow::DropNewest);
    let builder = Hub::builder().limits(limits);
    let hub = match trace {
        Some(trace) => builder.trace(trace).build(),
        None => builder.build(),
    };
    talk(hub.clone()).await;
    read_a_page(hub).await;
    drop(guard);
    std::mem::take(&mut *watch.0.lock().unwrap())
}

fn all(trace: Trace) -> Trace {
    let redact = |message: &Message| message.text_lossy().replace("hidden", "…");
    trace.preview(16).redact(redact).deliveries(true)
}

// One test: which events are on is known to the whole process.
#[tokio::test]
async fn what_is_logged_is_what_the_page_lists() {
    let page = page();
    let (events, spans) = (table(&page, "event"), table(&page, "span"));
    let seen = logged(Some(all(Trace::new(Level::INFO)))).await;
    assert_eq!(seen.events, events);
    assert_eq!(seen.spans, spans);
    for (name, levels) in &seen.levels {
        let most = levels.iter().max().unwrap();
        assert!(*most <= Level::INFO, "{name} at {levels:?}");
    }
    // No token, cookie or secret is shown, and no more of a message than was asked for.
    assert!(!seen.text.contains("hidden"), "{}", seen.text);
    assert!(
        seen.text.contains("preview=\"password=… and\""),
        "{}",
        seen.text
    );
    // From the message over the publication to its delivery.
    let linked = |set: &BTreeSet<(String, String)>, one: &str, other: &str| {
        assert!(
            set.contains(&(one.to_owned(), other.to_owned())),
            "{one} {other} {set:?}"
        );
    };
    linked(&seen.parents, "message", "connection");
    linked(&seen.parents, "received", "message");
    linked(&seen.parents, "publish", "message");
    linked(&seen.parents, "emitted", "publish");
    linked(&seen.parents, "deliver", "connection");
    linked(&seen.follows, "deliver", "publish");

    // Without the option: what the table says, and no message, page or span.
    let quiet = logged(None).await;
    assert!(quiet.spans.is_empty(), "{:?}", quiet.spans);
    for row in events.keys() {
        let cell = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{row}` |")));
        let cell = cell.unwrap().split(" | ").nth(1).unwrap();
        let levels = quiet.levels.get(row).cloned().unwrap_or_default();
        assert_eq!(levels.is_empty(), cell == "none", "{row}");
        for level in levels {
            assert!(
                names(cell).contains(&level.to_string()),
                "{row} at {level}: {cell}"
            );
        }
    }
    assert!(!quiet.text.contains("hidden"), "{}", quiet.text);
}
