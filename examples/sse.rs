//! Server-sent events beside WebSockets: a chat that can be read with `EventSource`, or with curl.
//!
//!     cargo run --example sse
//!     curl -N http://127.0.0.1:3000/events
//!     websocat ws://127.0.0.1:3000/chat
//!
//! What is typed into `websocat`, `curl` prints as an event, with its number as the id. http://127.0.0.1:3000 is a
//! page that reads the same. A reader that was away gets the notes that it has missed, of the latest 100.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::response::Html;
use axum::routing::get;
use crossws::prelude::*;
use crossws::sse::{Event, EventResponse, EventStream, Events, PushError};
use crossws::tokio::{Server, Shutdown, stop_signal};

/// What was said, and who reads it.
#[derive(Clone, Default)]
struct Board(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    /// The latest notes, each with its number.
    latest: VecDeque<(u64, String)>,
    last: u64,
    readers: Vec<Events>,
}

impl Board {
    /// Pushes a note to every reader that has room for it.
    fn say(&self, text: &str) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.last += 1;
        let note = (said.last, text.to_owned());
        // A reader that is gone, or too slow, reconnects and gets the rest by the last id.
        said.readers.retain(|reader| match push(reader, &note) {
            Ok(()) => true,
            Err(_) => {
                reader.close();
                false
            }
        });
        said.latest.push_back(note);
        if said.latest.len() > 100 {
            said.latest.pop_front();
        }
    }

    /// Adds a reader, which first gets what it has not read of the latest notes.
    fn read(&self, reader: Events) {
        let read = reader.last_event_id().and_then(|id| id.parse().ok());
        let read: u64 = read.unwrap_or_default();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unread = said.latest.iter().filter(|(n, _)| *n > read);
        if unread.map(|note| push(&reader, note)).all(|it| it.is_ok()) {
            said.readers.push(reader);
        }
    }
}

fn push(reader: &Events, (n, text): &(u64, String)) -> Result<(), PushError> {
    reader.try_push(Event::new(text).id(n).event("note"))
}

async fn events(Extension(board): Extension<Board>, stream: EventStream) -> EventResponse {
    let (events, response) = stream.open();
    board.read(events);
    response
}

const PAGE: &str = "<ul id=notes></ul><script>
new EventSource('/events').addEventListener('note', (event) => {
  notes.appendChild(document.createElement('li')).textContent = event.data;
});
</script>";

fn app(board: Board) -> (Router, axum::Router) {
    let said = board.clone();
    let chat = hooks().on_message(move |_, message: Message| {
        let said = said.clone();
        async move {
            said.say(message.text()?);
            crossws::ok()
        }
    });
    let http = axum::Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/events", get(events))
        .layer(Extension(board));
    (Router::new().route("/chat", chat), http)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (sockets, http) = app(Board::default());
    let server = Server::builder(sockets).http(http);
    let server = server.bind("127.0.0.1:3000").await?;
    println!("http://{}", server.local_addr());
    server
        .run_until(stop_signal()?, Shutdown::default())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crossws::Body;
    use crossws::memory::TestServer;
    use crossws::sse::Reader;

    use super::*;

    async fn reader(server: &TestServer, last: &str) -> Reader<Body> {
        let request = server.get("/events").header("last-event-id", last);
        Reader::new(request.stream().await.unwrap().into_body())
    }

    #[tokio::test]
    async fn a_reader_that_comes_back_gets_what_it_has_missed() {
        let (sockets, http) = app(Board::default());
        let server = TestServer::builder(sockets).http(http).build();
        let mut first = reader(&server, "").await;
        let mut writer = server.connect("/chat").await.unwrap();
        writer.send("one").unwrap();
        let note = first.next().await.unwrap().unwrap();
        assert_eq!((&*note.event, &*note.data), ("note", "one"));
        drop(first);
        writer.send("two").unwrap();
        server.settle().await;
        let mut again = reader(&server, &note.last_event_id).await;
        writer.send("three").unwrap();
        for text in ["two", "three"] {
            assert_eq!(again.next().await.unwrap().unwrap().data, text);
        }
    }
}
