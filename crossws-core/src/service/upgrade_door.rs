use std::sync::Arc;

use crate::hooks::Hooks;
use crate::hooks::dyn_hooks::SharedHooks;
use crate::opaque_debug;
use crate::peer::extensions::Extensions;
use crate::session::accepted::Accepted;
use crate::sync::Mutex;
use crate::upgrade::request::UpgradeRequest;

/// A place for an upgrade, in the extensions of a request that an adapter passes to an HTTP
/// service. The service leaves an accepted upgrade there, instead of taking over a connection. A
/// server without sockets has none to take over.
///
/// The service responds 101 with the upgrade's headers. The adapter that gets such a response
/// through the service's middleware [takes](Self::take) the upgrade and runs the connection. Every
/// other response refuses, and drops the upgrade.
#[derive(Clone, Default)]
pub struct UpgradeDoor(Arc<Mutex<DoorState>>);

#[derive(Default)]
struct DoorState {
    accepted: Option<Accepted<SharedHooks>>,
    /// The values that were attached to the request before it became one for HTTP.
    attached: Extensions,
}

impl UpgradeDoor {
    /// Creates an empty door.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the values that are attached to a request, which its HTTP parts do not contain.
    pub fn carry(&self, request: &mut UpgradeRequest) {
        let attached = std::mem::take(request.volatile_mut());
        let old = std::mem::replace(&mut self.0.lock().attached, attached);
        drop(old);
    }

    /// Attaches the carried values to the request that was rebuilt from the parts.
    pub fn attach_to(&self, request: &mut UpgradeRequest) {
        let attached = std::mem::take(&mut self.0.lock().attached);
        request.volatile().extend(attached);
    }

    /// Leaves an upgrade to the adapter.
    pub fn leave<H: Hooks + ?Sized>(&self, accepted: Accepted<H>) {
        let old = self.0.lock().accepted.replace(accepted.erase());
        // Without the lock: hooks are the application's.
        drop(old);
    }

    /// Takes the upgrade, if the service left one.
    pub fn take(&self) -> Option<Accepted<SharedHooks>> {
        self.0.lock().accepted.take()
    }
}

opaque_debug!(UpgradeDoor);
