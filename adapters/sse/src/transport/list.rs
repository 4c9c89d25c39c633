use std::collections::HashMap;
use std::sync::Arc;

use crossws_core::adapter::sync::Mutex;
use crossws_core::{Capabilities, Hub};

use crate::transport::connection::Connection;
use crate::transport::key::Key;

/// The open connections of a hub that are event streams, by their numbers.
pub(crate) struct List {
    pub(crate) hub: Hub,
    pub(crate) capabilities: Capabilities,
    /// What a connection's keys begin with: nothing, or a name and [`AFTER_PLACE`].
    place: String,
    open: Mutex<Open>,
}

/// What separates a place from a key, which has no such character.
pub(crate) const AFTER_PLACE: char = '~';

#[derive(Default)]
struct Open {
    connections: HashMap<u64, Arc<Connection>>,
    last: u64,
}

impl List {
    pub(crate) fn new(hub: &Hub, place: String, capabilities: Capabilities) -> Arc<Self> {
        Arc::new(Self {
            hub: hub.clone(),
            capabilities,
            place,
            open: Mutex::default(),
        })
    }

    /// Lists a new connection. `create` gets its secret and the right to resume it, and the latter as text, too.
    pub(crate) fn add(
        self: &Arc<Self>,
        create: impl FnOnce((Key<32>, Key<16>), &str) -> Connection,
    ) -> Result<Listed, getrandom::Error> {
        let serial = {
            let mut open = self.open.lock();
            open.last += 1;
            open.last
        };
        let (secret, resume) = (Key::random(serial)?, Key::random(serial)?);
        let connection = Arc::new(create((secret, resume), &self.text(&resume)));
        let listed = Arc::clone(&connection);
        self.open.lock().connections.insert(serial, listed);
        Ok(Listed {
            list: Arc::clone(self),
            connection,
        })
    }

    pub(crate) fn get(&self, serial: u64) -> Option<Arc<Connection>> {
        self.open.lock().connections.get(&serial).cloned()
    }

    /// Returns a key as its client has it.
    pub(crate) fn text<const N: usize>(&self, key: &Key<N>) -> String {
        format!("{}{key}", self.place)
    }

    /// Returns the key that a client has sent, if it is of this place.
    pub(crate) fn key<const N: usize>(&self, text: &str) -> Option<Key<N>> {
        Key::parse(text.strip_prefix(&*self.place)?)
    }
}

/// A connection's place in the list, until its last hook has ended.
pub(crate) struct Listed {
    list: Arc<List>,
    pub(crate) connection: Arc<Connection>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.connection.end();
        let serial = self.connection.secret.serial;
        let removed = self.list.open.lock().connections.remove(&serial);
        drop(removed);
    }
}
