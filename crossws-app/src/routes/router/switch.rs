use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Turns the routes of a router off and on while the server runs. Clones share it.
///
/// While the switch is off, every request passes on to the HTTP service, as if there were no
/// routes. Connected peers stay.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// /// For a maintenance page.
/// fn pause(sockets: &Switch) {
///     sockets.set(false);
/// }
///
/// let app = Router::new().route("/chat", hooks());
/// pause(&app.switch());
/// assert!(!app.switch().is_on());
/// ```
#[derive(Debug, Clone)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Turns the routes on or off.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Release);
    }

    /// Returns whether the routes are on. They are on initially.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Default for Switch {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}
