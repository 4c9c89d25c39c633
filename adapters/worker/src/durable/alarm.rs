use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker, ready};
use std::time::Duration;

use worker::State;
use worker::js_sys::{Date, Object};
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::DurableObjectStorage;

use crossws_core::adapter::sync::Mutex;

use crate::error::{report, report_failure};
use crate::link::deadline;
use crate::sleep::Sleep;

/// The object's one alarm. It wakes a sleeping object, whereas a timer would keep it awake.
pub(crate) struct Alarm {
    storage: Option<DurableObjectStorage>,
    /// The time for which it is set, in milliseconds since the epoch, as far as this instance
    /// knows.
    set: Mutex<Option<u64>>,
    /// The task that waits in [`due`](Self::due).
    changed: Mutex<Option<Waker>>,
}

impl Alarm {
    pub(crate) fn new(state: &State) -> Arc<Self> {
        let storage = state.as_raw().storage();
        let storage = storage.map_err(|error| report("no alarms", worker::Error::from(error)));
        Arc::new(Self {
            storage: storage.ok(),
            set: Mutex::new(None),
            changed: Mutex::new(None),
        })
    }

    /// Ensures that the alarm comes at this time or before.
    pub(crate) fn by(self: &Arc<Self>, at: u64) {
        let mut set = self.set.lock();
        if set.is_some_and(|set| set <= at) {
            return;
        }
        *set = Some(at);
        drop(set);
        let waiting = self.changed.lock().take();
        waiting.into_iter().for_each(Waker::wake);
        let Some(storage) = &self.storage else {
            return;
        };
        // Exact for the next 285,000 years.
        #[allow(clippy::cast_precision_loss)]
        let date = Date::new(&JsValue::from_f64(at as f64));
        let alarm = Arc::clone(self);
        let set = storage.set_alarm(date, Object::new());
        report_failure(set, move |error| alarm.failed(at, error));
    }

    /// Waits until the alarm is due. The platform delivers none while an earlier one is handled.
    pub(crate) async fn due(&self) {
        let mut sleep: Option<(u64, Sleep)> = None;
        poll_fn(|cx| {
            *self.changed.lock() = Some(cx.waker().clone());
            loop {
                let set = *self.set.lock();
                let Some(at) = set else {
                    return Poll::Pending;
                };
                let left = at.saturating_sub(deadline::now());
                if left == 0 {
                    return Poll::Ready(());
                }
                let (_, timer) = match &mut sleep {
                    Some(timer) if timer.0 == at => timer,
                    sleep => sleep.insert((at, Sleep::new(Duration::from_millis(left)))),
                };
                ready!(Pin::new(timer).poll(cx));
                sleep = None;
            }
        })
        .await
    }

    /// It was not set: the next event may try again.
    fn failed(&self, at: u64, error: JsValue) {
        report("the alarm was not set", worker::Error::from(error));
        let mut set = self.set.lock();
        if *set == Some(at) {
            *set = None;
        }
    }

    /// Returns whether it should have come: the platform may be late, and another event may come
    /// first.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.set.lock().is_some_and(|at| at <= now)
    }

    /// Records that it has come.
    pub(crate) fn rang(&self) {
        *self.set.lock() = None;
    }
}
