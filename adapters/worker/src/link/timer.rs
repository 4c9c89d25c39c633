use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, Waker, ready};
use std::time::Duration;

use crossws_core::adapter::sync::Mutex;

use crate::link::{Link, deadline};
use crate::sleep::Sleep;

/// Runs the deadlines of a connection in a plain Worker, which stays awake with the connection and
/// has no alarm.
#[derive(Default)]
pub(crate) struct Timer(Mutex<Option<Waker>>);

impl Timer {
    /// Wakes the timer, because a deadline has become earlier.
    pub(crate) fn wake(&self) {
        let waker = self.0.lock().take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Acts on the connection's deadlines. Never ends.
    pub(crate) async fn keep(&self, link: &Link) {
        let mut sleep: Option<(u64, Sleep)> = None;
        poll_fn(|cx| {
            *self.0.lock() = Some(cx.waker().clone());
            loop {
                let now = deadline::now();
                if let Some(closed) = link.keep_time(now) {
                    link.closed(closed);
                }
                let Some(due) = link.next_due() else {
                    sleep = None;
                    return Poll::Pending;
                };
                let (_, timer) = match &mut sleep {
                    Some(timer) if timer.0 <= due => timer,
                    sleep => {
                        let time = Duration::from_millis(due.saturating_sub(now).max(1));
                        sleep.insert((due, Sleep::new(time)))
                    }
                };
                ready!(Pin::new(timer).poll(cx));
                sleep = None;
            }
        })
        .await
    }
}
