//! Cases fail by panics, and some hooks panic on purpose: both are kept off the terminal.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    /// The panics of a thread that runs a case.
    static CAUGHT: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs a case. Returns the texts of its panics as the error.
pub(super) fn failure<E>(case: impl FnOnce() -> Result<(), E>) -> Result<(), String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(install);
    CAUGHT.set(Some(Vec::new()));
    let result = case();
    let caught = CAUGHT.take().unwrap_or_default();
    result.map_err(|_| caught.join("\n"))
}

fn install() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let message = info.payload_as_str().unwrap_or("a panic without a text");
        if message.starts_with("probe: ") {
            return;
        }
        let caught = CAUGHT.with_borrow_mut(|caught| {
            caught.as_mut().map(|caught| {
                let place = info.location().map(ToString::to_string);
                caught.push(format!("{message}\n  at {}", place.unwrap_or_default()));
            })
        });
        if caught.is_none() {
            default(info);
        }
    }));
}
