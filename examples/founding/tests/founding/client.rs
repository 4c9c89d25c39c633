//! The client of the checks.

use std::borrow::Borrow;
use std::panic::Location;
use std::time::Duration;

use bytes::Bytes;
use crossws_conformance::{Client as Connection, Event, Frame};
use http::{Request, Response, StatusCode};
use serde_json::Value;

use crate::World;

pub(crate) struct Client {
    connection: Box<dyn Connection>,
    pub(crate) response: Response<()>,
}

/// Connects, with these headers.
pub(crate) async fn connect_with(
    world: &dyn World,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Client, Response<Bytes>> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let connected = world.connect(request.body(()).unwrap()).await?;
    Ok(Client {
        connection: connected.client,
        response: connected.response,
    })
}

pub(crate) async fn connect(world: &dyn World, path: &str) -> Client {
    let connected = connect_with(world, path, &[]).await;
    connected.unwrap_or_else(|refusal| panic!("{path}: {}", refusal.status()))
}

/// Returns the status and the body of a refusal.
pub(crate) async fn refused(
    world: &dyn World,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, Bytes) {
    match connect_with(world, path, headers).await {
        Ok(_) => panic!("{path} was let in"),
        Err(refusal) => (refusal.status(), refusal.into_body()),
    }
}

pub(crate) async fn get(world: &dyn World, path: &str) -> Value {
    let request = Request::get(path).body(Bytes::new()).unwrap();
    let response = world.http(request).await;
    assert_eq!(response.status(), 200, "{path}");
    serde_json::from_slice(response.body()).unwrap()
}

pub(crate) async fn post(world: &dyn World, path: &str, body: &str) -> (StatusCode, Bytes) {
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.body(Bytes::from(body.to_owned())).unwrap();
    let response = world.http(request).await;
    (response.status(), response.into_body())
}

impl Client {
    pub(crate) async fn send(&mut self, text: impl ToString) {
        let sent = self.connection.send(Frame::Text(text.to_string())).await;
        sent.unwrap();
    }

    pub(crate) async fn frame(&mut self, frame: Frame) {
        self.connection.send(frame).await.unwrap();
    }

    /// Replies to what was read, if the connection has not ended since.
    pub(crate) async fn reply(&mut self, frame: Frame) {
        let _ = self.connection.send(frame).await;
    }

    /// Returns the next frame. Answers pings of the server itself.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            match self.connection.next().await {
                Event::Ping(data) => self.frame(Frame::Pong(data)).await,
                event => return event,
            }
        }
    }

    /// Returns the next frame of any kind. Time passes while it waits.
    pub(crate) async fn raw(&mut self, world: &dyn World) -> Event {
        let event = self.raw_within(world, Duration::from_secs(10)).await;
        event.unwrap_or_else(|| panic!("nothing came"))
    }

    /// Returns the next frame of any kind, if it arrives within this time.
    pub(crate) async fn raw_within(&mut self, world: &dyn World, time: Duration) -> Option<Event> {
        ::tokio::select! {
            biased;
            event = self.connection.next() => Some(event),
            () = world.sleep(time) => None,
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.event().await {
            Event::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// Takes the next message, which must be this JSON.
    #[track_caller]
    pub(crate) fn expect(&mut self, value: impl Borrow<Value>) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move { assert_eq!(&self.json().await, value.borrow(), "{at}") }
    }

    /// Takes the next message, which must be this text.
    #[track_caller]
    pub(crate) fn expect_text(&mut self, text: &str) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move { assert_eq!(self.text().await, text, "{at}") }
    }

    /// Sends a message, and returns the reply.
    pub(crate) async fn ask(&mut self, text: impl ToString) -> Value {
        self.send(text).await;
        self.json().await
    }

    /// Closes, and waits for the end.
    pub(crate) async fn close(mut self) {
        self.frame(Frame::Close(Some((1000, String::new())))).await;
        while !matches!(self.event().await, Event::End | Event::Cut) {}
    }

    pub(crate) fn vanish(self) {
        self.connection.vanish();
    }
}
