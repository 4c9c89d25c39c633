use std::fmt;
use std::sync::Arc;

use crate::hooks::Hooks;
use crate::hooks::dyn_hooks::SharedHooks;
use crate::session::claim::Accepted;
use crate::sync::Mutex;

/// In the extensions of a request that an adapter passes to an HTTP service: where that service leaves
/// the upgrade, if it accepts one, instead of taking over a connection. A server without sockets has
/// nothing to take over.
///
/// The service responds 101 with the upgrade's headers; the adapter that gets such a response through the
/// service's middleware [takes](Self::take) the upgrade and runs the connection. Every other response refuses,
/// and drops what was left here.
#[derive(Clone, Default)]
pub struct UpgradeDoor(Arc<Mutex<Option<Accepted<SharedHooks>>>>);

impl UpgradeDoor {
    /// A door that nothing has gone through.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves an upgrade to the adapter.
    pub fn leave<H: Hooks + ?Sized>(&self, accepted: Accepted<H>) {
        let old = self.0.lock().replace(accepted.erase());
        // Without the lock: hooks are the application's.
        drop(old);
    }

    /// Takes the upgrade, if one was left.
    pub fn take(&self) -> Option<Accepted<SharedHooks>> {
        self.0.lock().take()
    }
}

impl fmt::Debug for UpgradeDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpgradeDoor(..)")
    }
}
