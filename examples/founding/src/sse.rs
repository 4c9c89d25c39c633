//! `/sse`: server-sent events, on every platform.

use std::sync::Arc;
use std::time::Duration;

use crossws::Hub;
use crossws::sse::{Event, EventResponse, EventStream};
use serde_json::json;

const TICK: Duration = Duration::from_millis(100);

/// The open streams of `/sse`: each holds one.
#[derive(Clone, Default)]
pub struct Streams(Arc<()>);

impl Streams {
    /// Returns the streams of this hub's server.
    pub fn of(hub: &Hub) -> Self {
        Self::clone(&hub.extensions().get_or_default::<Self>())
    }

    /// Returns how many streams are open.
    pub fn open(&self) -> usize {
        // Without this handle, and the hub's.
        Arc::strong_count(&self.0).saturating_sub(2)
    }
}

/// Counts aloud until the client goes.
pub fn ticks(stream: EventStream, streams: &Streams) -> EventResponse {
    let open = streams.clone();
    stream.run(|events| async move {
        let _open = open;
        for n in 0.. {
            events.push(format!("Message @ {n}")).await?;
            events.sleep(TICK).await;
        }
        Ok(())
    })
}

/// Sends every field that an event has, and goes on after the last event that the client has read.
pub fn structured(stream: EventStream) -> EventResponse {
    stream.run(|events| async move {
        let last = events.last_event_id().and_then(|id| id.parse().ok());
        for n in last.map_or(0, |last: u64| last.saturating_add(1)).. {
            let event = Event::json(json!({ "value": n }))?.id(n).event("update");
            events.push(event.retry(Duration::from_secs(3))).await?;
            events.sleep(TICK).await;
        }
        Ok(())
    })
}

/// Sends data with every end of a line, which forges no event.
pub fn lines(stream: EventStream) -> EventResponse {
    stream.run(|events| async move {
        events.push("a\r\nb\nc\rd").await?;
        events.push("x\r\revent: forged").await?;
        // Until the client goes: it would reconnect, and get them again.
        std::future::pending().await
    })
}
