//! A client of event streams and posts. It shares no code with the adapter under test.

use std::collections::VecDeque;
use std::io::BufRead;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use super::{Port, Stream, Streamed, http1};
use crate::{Client, Connected, Event, Frame, Fut, Gone};

/// The header that every request to a platform of several servers has.
const STAGE: HeaderName = HeaderName::from_static("x-stage");

const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// One connection: its stream, and the posts, which a task sends in order. So `send` does not wait for
/// the server, as on a socket.
pub(super) struct EventsClient {
    stream: Streamed,
    /// A line, and an event, that have not ended.
    line: Vec<u8>,
    fields: Fields,
    ready: VecDeque<Fields>,
    posts: UnboundedSender<Request<Bytes>>,
    /// How many posts were sent, and responded to.
    posted: usize,
    responded: watch::Receiver<usize>,
    target: String,
    authorization: String,
    /// What names its server to a platform that has several.
    stage: Option<HeaderValue>,
    close_received: bool,
}

/// An event's name and data.
#[derive(Debug, Default)]
struct Fields {
    event: String,
    data: Vec<String>,
}

impl Fields {
    fn put(&mut self, line: &str) {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        match name {
            "event" => self.event = value.to_owned(),
            "data" => self.data.push(value.to_owned()),
            // Comments, ids and times.
            _ => {}
        }
    }

    fn data(&self) -> String {
        self.data.join("\n")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.data()).unwrap()
    }
}

impl EventsClient {
    /// Opens a connection. The error is a refusal, or `None` if the server ended without one.
    pub(super) async fn connect(
        port: &Port,
        mut request: Request<()>,
    ) -> Result<Connected, Option<Response<Bytes>>> {
        let path = request.uri().path().to_owned();
        let stage = request.headers().get(STAGE).cloned();
        request.headers_mut().insert(ACCEPT, EVENTS);
        let bytes = http1::plain(request.map(|()| Bytes::new()), port.addr);
        let response = Streamed::open(port.dial().await, &bytes).await;
        let (mut head, stream) = response.ok_or(None)?.into_parts();
        let kind = head.headers.get(CONTENT_TYPE);
        if head.status != StatusCode::OK || kind != Some(&EVENTS) {
            return Err(Some(Response::from_parts(head, stream.whole().await)));
        }
        let (posts, queue) = unbounded_channel();
        let (count, responded) = watch::channel(0);
        tokio::spawn(post_in_order(port.clone(), queue, count));
        let mut client = Self {
            stream,
            line: Vec::new(),
            fields: Fields::default(),
            ready: VecDeque::new(),
            posts,
            posted: 0,
            responded,
            target: path,
            authorization: String::new(),
            stage,
            close_received: false,
        };
        let open = client.event().await.ok_or(None)?;
        assert_eq!(open.event, "open");
        let open = open.json();
        assert_eq!(open["url"], client.target);
        client.authorization = format!("Bearer {}", open["secret"].as_str().unwrap());
        // What a case understands.
        head.status = StatusCode::SWITCHING_PROTOCOLS;
        Ok(Connected {
            response: Response::from_parts(head, ()),
            client: Box::new(client),
        })
    }

    /// Returns the next event, or `None` where the stream ends.
    async fn event(&mut self) -> Option<Fields> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let arrived = self.stream.next().await?;
            let mut arrived = &*arrived;
            while arrived.read_until(b'\n', &mut self.line).unwrap() > 0 {
                if self.line.pop_if(|last| *last == b'\n').is_none() {
                    break;
                }
                let line = std::mem::take(&mut self.line);
                if !line.is_empty() {
                    self.fields.put(std::str::from_utf8(&line).unwrap());
                    continue;
                }
                let event = std::mem::take(&mut self.fields);
                if !event.data.is_empty() {
                    self.ready.push_back(event);
                }
            }
        }
    }

    async fn read(&mut self) -> Event {
        let Some(event) = self.event().await else {
            return match self.close_received && self.stream.ended_in_order() {
                true => Event::End,
                false => Event::Cut,
            };
        };
        assert!(!self.close_received, "after its close: {event:?}");
        match &*event.event {
            "" => Event::Text(event.data()),
            "binary" => Event::Binary(BASE64_STANDARD.decode(event.data()).unwrap()),
            "close" => {
                self.close_received = true;
                let close = event.json();
                let code = close.get("code").map(|code| code.as_u64().unwrap() as u16);
                Event::Close(code.map(|code| {
                    assert!(crossws_core::CloseCode::new(code).is_some(), "{code} sent");
                    (code, close["reason"].as_str().unwrap().to_owned())
                }))
            }
            other => panic!("an event of another name: {other}"),
        }
    }

    fn post(&mut self, frame: Frame) -> Result<(), Gone> {
        let (method, kind, body) = match frame {
            Frame::Text(text) => (Method::POST, "text/plain", text.into_bytes()),
            Frame::Binary(bytes) => (Method::POST, "application/octet-stream", bytes),
            Frame::Close(closed) => {
                let close = closed.map(|(code, reason)| json!({ "code": code, "reason": reason }));
                let close = close.unwrap_or_else(|| json!({}));
                (Method::DELETE, "application/json", close.to_string().into())
            }
            Frame::Ping(_) | Frame::Pong(_) => panic!("event streams have no pings"),
        };
        let request = Request::builder()
            .method(method)
            .uri(&self.target)
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, kind);
        let mut request = request.body(Bytes::from(body)).unwrap();
        if let Some(stage) = &self.stage {
            request.headers_mut().insert(STAGE, stage.clone());
        }
        self.posted += 1;
        self.posts.send(request).map_err(|_| Gone)
    }
}

impl Client for EventsClient {
    fn send(&mut self, frame: Frame) -> Fut<'_, Result<(), Gone>> {
        Box::pin(std::future::ready(self.post(frame)))
    }

    fn next(&mut self) -> Fut<'_, Event> {
        Box::pin(self.read())
    }

    fn acknowledged(&mut self) -> Fut<'_, bool> {
        Box::pin(async move {
            let posted = self.posted;
            // An error means that the server takes no more of them.
            let _ = self.responded.wait_for(|count| *count >= posted).await;
            true
        })
    }

    fn vanish(self: Box<Self>) {}
}

/// Sends each request after the response to the one before, over one connection while it lasts.
async fn post_in_order(
    port: Port,
    mut queue: UnboundedReceiver<Request<Bytes>>,
    responded: watch::Sender<usize>,
) {
    let mut kept: Option<Stream> = None;
    while let Some(request) = queue.recv().await {
        let bytes = http1::kept_alive(request, port.addr);
        let mut response = None;
        if let Some(stream) = &mut kept {
            response = http1::exchange(stream, &bytes).await;
        }
        // The server may have ended a connection that was silent.
        if response.is_none() {
            let Ok(stream) = port.try_dial().await else {
                return;
            };
            let stream = kept.insert(stream);
            response = http1::exchange(stream, &bytes).await;
        }
        match response.map(|(response, _)| response.status()) {
            Some(StatusCode::NO_CONTENT) => responded.send_modify(|count| *count += 1),
            // The connection is over, or ends with what this message did wrong.
            _ => return,
        }
    }
}
