use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossws_core::adapter::Background;
use crossws_core::{Hub, Settings, SharedResolver};
use http::request::Parts;

use crate::transport::connection::Connection;
use crate::transport::key::Key;
use crate::transport::uplink;

/// What all requests share: the application, and its open connections.
pub(crate) struct Shared {
    pub(crate) resolver: Arc<SharedResolver>,
    pub(crate) hub: Hub,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    connections: HashMap<u64, Arc<Connection>>,
    last: u64,
}

impl Shared {
    pub(crate) fn new(resolver: SharedResolver, hub: &Hub) -> Self {
        Self {
            resolver: Arc::new(resolver),
            hub: hub.clone(),
            open: Mutex::default(),
        }
    }

    /// Creates and lists a connection.
    pub(crate) fn open(
        &self,
        path: &str,
        settings: Arc<Settings>,
        background: &Arc<dyn Background>,
        retained: usize,
    ) -> Result<Arc<Connection>, getrandom::Error> {
        let serial = {
            let mut open = self.lock();
            open.last += 1;
            open.last
        };
        let keys = (Key::random(serial)?, Key::random(serial)?);
        let connection = Connection::new(keys, path.to_owned(), settings, background, retained);
        let connection = Arc::new(connection);
        let listed = Arc::clone(&connection);
        self.lock().connections.insert(serial, listed);
        Ok(connection)
    }

    pub(crate) fn get(&self, serial: u64) -> Option<Arc<Connection>> {
        self.lock().connections.get(&serial).cloned()
    }

    /// Returns the connection whose secret a request has, for the connection's own path.
    pub(crate) fn of(&self, parts: &Parts) -> Option<Arc<Connection>> {
        let secret = uplink::secret(&parts.headers)?;
        let connection = self.get(secret.serial)?;
        let is_its_own = connection.secret.matches(&secret) && connection.path == parts.uri.path();
        is_its_own.then_some(connection)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the list, until its last hook has ended.
pub(crate) struct Listed {
    shared: Arc<Shared>,
    pub(crate) connection: Arc<Connection>,
}

impl Listed {
    pub(crate) fn new(shared: &Arc<Shared>, connection: &Arc<Connection>) -> Self {
        Self {
            shared: Arc::clone(shared),
            connection: Arc::clone(connection),
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.connection.end();
        let serial = self.connection.secret.serial;
        let removed = self.shared.lock().connections.remove(&serial);
        drop(removed);
    }
}
