use crossws_core::PeerId;
use http::Response;
use serde_json::Value;

use crate::{Client, Do, Event, Frame};

/// A client, with helper methods for cases.
pub struct Peer {
    /// Its name in the journal.
    pub who: String,
    /// The response to its upgrade.
    pub response: Response<()>,
    pub(crate) client: Box<dyn Client>,
}

impl Peer {
    /// Sends a frame.
    pub async fn send(&mut self, frame: Frame) {
        let sent = self.client.send(frame).await;
        assert!(sent.is_ok(), "{}: the connection is gone", self.who);
    }

    /// Sends a frame. The connection may already be lost.
    pub async fn send_if_alive(&mut self, frame: Frame) {
        let _ = self.client.send(frame).await;
    }

    /// Sends a text.
    pub async fn say(&mut self, text: &str) {
        self.send(Frame::Text(text.to_owned())).await;
    }

    /// Sends commands to the server's hooks, for this peer.
    pub async fn perform(&mut self, script: &[Do]) {
        self.say(&Do::script(script)).await;
    }

    /// Returns the next event.
    pub async fn next(&mut self) -> Event {
        self.client.next().await
    }

    /// Returns the next event, which must be a text.
    pub async fn text(&mut self) -> String {
        match self.next().await {
            Event::Text(text) => text,
            other => panic!("{}: not a text: {other:?}", self.who),
        }
    }

    /// Asserts that the next event is this text.
    pub async fn hears(&mut self, text: &str) {
        assert_eq!(
            self.next().await,
            Event::Text(text.to_owned()),
            "{}",
            self.who
        );
    }

    /// Asserts that everything sent to this peer so far has been read: sends a message that comes
    /// back, and nothing may arrive before it. Cases prove an absence with this, without waiting.
    pub async fn hears_nothing(&mut self) {
        self.say("fence").await;
        self.hears("fence").await;
    }

    /// Returns the peer's state, as its hooks see it. All earlier commands have been run.
    pub async fn report(&mut self) -> Value {
        self.perform(&[Do::Report]).await;
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// Returns the peer's id.
    pub async fn id(&mut self) -> PeerId {
        serde_json::from_value(self.report().await["id"].clone()).unwrap()
    }

    /// Asserts that the next event is a close frame, and that the connection then ends in order.
    pub async fn closes(&mut self) -> (u16, String) {
        let closed = self.next().await;
        let Event::Close(Some(closed)) = closed else {
            panic!("{}: no close frame, but {closed:?}", self.who);
        };
        assert_eq!(self.next().await, Event::End, "{}", self.who);
        closed
    }

    /// As [`closes`](Self::closes), but skips the events before the close frame, and does not wait
    /// for the end.
    pub async fn closes_at_last(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Event::Close(Some(closed)) => return closed,
                end @ (Event::End | Event::Cut | Event::Close(None)) => {
                    panic!("{}: no close frame, but {end:?}", self.who)
                }
                _ => {}
            }
        }
    }

    /// As [`closes_at_last`](Self::closes_at_last), and then the client is gone, as clients are: until
    /// then a server may wait for its end.
    pub async fn closes_and_goes(mut self) -> (u16, String) {
        self.closes_at_last().await
    }

    /// Closes with a code, and waits for the reply and the end.
    pub async fn close(&mut self, code: u16, reason: &str) -> Event {
        self.send(Frame::Close(Some((code, reason.to_owned()))))
            .await;
        let answer = self.next().await;
        assert_eq!(self.next().await, Event::End, "{}", self.who);
        answer
    }

    /// Closes with 1000.
    pub async fn leave(mut self) {
        self.close(1000, "").await;
    }

    /// Disappears without a close frame.
    pub fn vanish(self) {
        self.client.vanish();
    }

    /// Returns a header of the response.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }
}
