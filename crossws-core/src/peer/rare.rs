//! The parts that only a few peers have.

use std::sync::Arc;

use once_cell::race::OnceBox;

use crate::hub::settings::Settings;
use crate::sync::Mutex;

/// The parts that most peers do not have, in one box. A peer without them owns only the pointer.
#[derive(Default)]
pub(crate) struct RareCell(OnceBox<Rare>);

#[derive(Default)]
pub(crate) struct Rare {
    /// The negotiated subprotocol.
    protocol: Option<Box<str>>,
    /// The settings since the hooks of a restored peer are known.
    settings: Mutex<Option<Arc<Settings>>>,
}

impl RareCell {
    pub(crate) fn new(protocol: Option<String>) -> Self {
        let Some(protocol) = protocol else {
            return Self::default();
        };
        Self(OnceBox::with_value(Box::new(Rare {
            protocol: Some(protocol.into()),
            ..Rare::default()
        })))
    }

    /// Returns the parts, if the peer has any.
    pub(crate) fn get(&self) -> Option<&Rare> {
        self.0.get()
    }

    /// Returns the parts, to set one of them.
    pub(crate) fn get_or_init(&self) -> &Rare {
        self.0.get_or_init(Box::default)
    }

    pub(crate) fn protocol(&self) -> Option<&str> {
        self.get()?.protocol.as_deref()
    }

    /// Returns the settings that replace the peer's initial ones.
    pub(crate) fn settings(&self) -> Option<Arc<Settings>> {
        self.get()?.settings.lock().clone()
    }

    pub(crate) fn set_settings(&self, settings: Arc<Settings>) {
        let old = self.get_or_init().settings.lock().replace(settings);
        drop(old);
    }
}
