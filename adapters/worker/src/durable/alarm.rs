use std::sync::{Arc, Mutex};

use worker::State;
use worker::js_sys::{Date, Object};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::{JsFuture, spawn_local};
use worker::worker_sys::DurableObjectStorage;

use crate::error::report;
use crate::sync::lock;

/// The object's one alarm: it wakes a sleeping object, where a timer would keep it awake.
pub(crate) struct Alarm {
    storage: Option<DurableObjectStorage>,
    /// For when it is set, in milliseconds of the epoch, as far as this instance knows.
    set: Mutex<Option<u64>>,
}

impl Alarm {
    pub(crate) fn new(state: &State) -> Arc<Self> {
        let storage = state.as_raw().storage();
        let storage = storage.map_err(|error| report("no alarms", worker::Error::from(error)));
        Arc::new(Self {
            storage: storage.ok(),
            set: Mutex::new(None),
        })
    }

    /// Sees to it that the alarm comes at this time or before.
    pub(crate) fn by(self: &Arc<Self>, at: u64) {
        let mut set = lock(&self.set);
        if set.is_some_and(|set| set <= at) {
            return;
        }
        *set = Some(at);
        drop(set);
        let Some(storage) = &self.storage else {
            return;
        };
        // Exact for the next 285,000 years.
        #[allow(clippy::cast_precision_loss)]
        let date = Date::new(&JsValue::from_f64(at as f64));
        match storage.set_alarm(date, Object::new()) {
            Ok(promise) => {
                let alarm = Arc::clone(self);
                spawn_local(async move {
                    if let Err(error) = JsFuture::from(promise).await {
                        alarm.failed(at, error);
                    }
                });
            }
            Err(error) => self.failed(at, error),
        }
    }

    /// It was not set: whatever happens next may try again.
    fn failed(&self, at: u64, error: JsValue) {
        report("the alarm was not set", worker::Error::from(error));
        let mut set = lock(&self.set);
        if *set == Some(at) {
            *set = None;
        }
    }

    /// Whether it should have come: the platform may be late, and another event come first.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        lock(&self.set).is_some_and(|at| at <= now)
    }

    /// It has come.
    pub(crate) fn rang(&self) {
        *lock(&self.set) = None;
    }
}
