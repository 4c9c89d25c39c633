//! A stream of the Worker's own, and how many of them have not been dropped.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crossws::sse::{EventResponse, EventStream};
use crossws::worker::background;

use crate::Query;

/// Pushes a number every `?every=` milliseconds, `?count=` times, and then waits. Comments come every
/// `?comments=` milliseconds.
pub(crate) fn ticks(asked: &Query) -> EventResponse {
    let number = |name: &str| asked.get(name).and_then(|text| text.parse().ok());
    let time = |name| Duration::from_millis(number(name).unwrap_or(60_000));
    let (every, comments) = (time("every"), time("comments"));
    let count = number("count").unwrap_or(u64::MAX);
    let stream = EventStream::on(background()).keep_alive(comments);
    let open = Open::new();
    stream.run(move |events| async move {
        let _open = open;
        for n in 0..count {
            events.push(n.to_string()).await?;
            events.sleep(every).await;
        }
        std::future::pending().await
    })
}

/// Returns how many streams there are.
pub(crate) fn open() -> u32 {
    OPEN.load(Ordering::Relaxed)
}

static OPEN: AtomicU32 = AtomicU32::new(0);

struct Open;

impl Open {
    fn new() -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}
