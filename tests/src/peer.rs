use crossws_core::PeerId;
use http::Response;
use serde_json::Value;

use crate::{Client, Do, Event, Frame};

/// A client, with shorthands for what cases do.
pub struct Peer {
    /// Its name in the journal.
    pub who: String,
    /// The answer to its upgrade.
    pub response: Response<()>,
    pub(crate) client: Box<dyn Client>,
}

impl Peer {
    /// Sends a frame.
    pub async fn send(&mut self, frame: Frame) {
        let sent = self.client.send(frame).await;
        assert!(sent.is_ok(), "{}: the connection is gone", self.who);
    }

    /// Sends a frame, which the connection need not live to take.
    pub async fn send_if_alive(&mut self, frame: Frame) {
        let _ = self.client.send(frame).await;
    }

    /// Sends a text.
    pub async fn say(&mut self, text: &str) {
        self.send(Frame::Text(text.to_owned())).await;
    }

    /// Asks the server's hooks to do something with this peer.
    pub async fn perform(&mut self, script: &[Do]) {
        self.say(&Do::script(script)).await;
    }

    /// The next event.
    pub async fn next(&mut self) -> Event {
        self.client.next().await
    }

    /// The next event, which must be a text.
    pub async fn text(&mut self) -> String {
        match self.next().await {
            Event::Text(text) => text,
            other => panic!("{}: not a text: {other:?}", self.who),
        }
    }

    /// The next event must be this text.
    pub async fn hears(&mut self, text: &str) {
        assert_eq!(
            self.next().await,
            Event::Text(text.to_owned()),
            "{}",
            self.who
        );
    }

    /// Everything sent to this peer so far was this: says something that comes back, and nothing
    /// may come before it. How cases prove an absence without waiting.
    pub async fn hears_nothing(&mut self) {
        self.say("fence").await;
        self.hears("fence").await;
    }

    /// The peer's state, as its hooks see it. All that was asked before has been done.
    pub async fn report(&mut self) -> Value {
        self.perform(&[Do::Report]).await;
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The peer's id.
    pub async fn id(&mut self) -> PeerId {
        serde_json::from_value(self.report().await["id"].clone()).unwrap()
    }

    /// The next event must be a close frame, and the connection ends in order.
    pub async fn closes(&mut self) -> (u16, String) {
        let closed = self.next().await;
        let Event::Close(Some(closed)) = closed else {
            panic!("{}: no close frame, but {closed:?}", self.who);
        };
        assert_eq!(self.next().await, Event::End, "{}", self.who);
        closed
    }

    /// As [`closes`](Self::closes), with what comes before it put aside, and without its end.
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

    /// Closes with a code, and waits for the answer and the end.
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

    /// Is gone without a word.
    pub fn vanish(self) {
        self.client.vanish();
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }
}
