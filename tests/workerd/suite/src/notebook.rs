use std::time::Duration;

use crossws::BoxFuture;
use crossws_conformance::{Entry, Notebook};
use worker::Delay;
use worker::js_sys::{Array, Map, Object, Reflect, Set, global};
use worker::send::SendFuture;
use worker::wasm_bindgen::{JsCast, JsValue};

/// The pause between checks of a waiting task. A wait across requests would wake a future outside
/// of its request, which the platform forbids. A pending timer also shows the platform that a task
/// is still working.
const AGAIN: Duration = Duration::from_millis(2);

/// One stage's part of a notebook in JavaScript's memory, which outlives the Worker's.
#[derive(Debug)]
pub(crate) struct Page {
    stage: String,
}

impl Page {
    pub(crate) fn of(stage: &str) -> Self {
        let page = Self {
            stage: stage.to_owned(),
        };
        page.count(1.0);
        page
    }

    /// Returns whether there is another handle to it.
    pub(crate) fn is_shared(&self) -> bool {
        self.count(0.0) > 1.0
    }

    /// Returns the value that is stored under a name, created on first use.
    fn keep<T: JsCast>(&self, name: &str, make: impl FnOnce() -> JsValue) -> T {
        let notebook: Map = member(&global(), "conformance", || Map::new().into());
        let key = JsValue::from_str(&self.stage);
        if !notebook.has(&key) {
            notebook.set(&key, &Object::new());
        }
        member(notebook.get(&key).unchecked_ref(), name, make)
    }

    fn entries(&self) -> Array {
        self.keep("entries", || Array::new().into())
    }

    fn gates(&self) -> Set {
        self.keep("gates", || Set::new(&JsValue::UNDEFINED).into())
    }

    /// Adds to the number of these. Returns the number.
    fn count(&self, change: f64) -> f64 {
        let pages: Array = self.keep("pages", || Array::of1(&JsValue::from_f64(0.0)).into());
        let count = pages.get(0).as_f64().unwrap_or_default() + change;
        pages.set(0, JsValue::from_f64(count));
        count
    }
}

fn member<T: JsCast>(of: &Object, name: &str, make: impl FnOnce() -> JsValue) -> T {
    let name = JsValue::from_str(name);
    let found = Reflect::get(of, &name).unwrap_or(JsValue::UNDEFINED);
    if !found.is_undefined() {
        return found.unchecked_into();
    }
    let made = make();
    let _ = Reflect::set(of, &name, &made);
    made.unchecked_into()
}

impl Drop for Page {
    fn drop(&mut self) {
        self.count(-1.0);
    }
}

impl Notebook for Page {
    fn record(&self, entry: Entry) {
        let json = serde_json::to_string(&entry).unwrap_or_default();
        self.entries().push(&JsValue::from_str(&json));
    }

    fn entries(&self) -> Vec<Entry> {
        let entries = Self::entries(self);
        let texts = entries.iter().filter_map(|entry| entry.as_string());
        texts
            .filter_map(|text| serde_json::from_str(&text).ok())
            .collect()
    }

    fn open(&self, gate: &str) {
        self.gates().add(&JsValue::from_str(gate));
    }

    fn is_open(&self, gate: &str) -> bool {
        self.gates().has(&JsValue::from_str(gate))
    }

    fn changed(&self) -> BoxFuture<'static, ()> {
        // Natively, where this is compiled for lints, hooks must be `Send`.
        Box::pin(SendFuture::new(Delay::from(AGAIN)))
    }
}
