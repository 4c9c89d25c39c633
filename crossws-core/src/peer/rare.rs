//! The parts that only a few peers have.

use std::sync::Arc;

use once_cell::race::OnceBox;

use crate::hub::settings::Settings;
use crate::sync::Mutex;

/// The parts that most peers do not have, in one box. A peer without them owns only the pointer.
#[derive(Default)]
pub(crate) struct RareCell(OnceBox<Rare>);

#[derive(Default)]
struct Rare {
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

    pub(crate) fn protocol(&self) -> Option<&str> {
        self.0.get()?.protocol.as_deref()
    }

    /// Returns the settings that replace the peer's initial ones.
    pub(crate) fn settings(&self) -> Option<Arc<Settings>> {
        self.0.get()?.settings.lock().clone()
    }

    pub(crate) fn set_settings(&self, settings: Arc<Settings>) {
        let rare = self.0.get_or_init(Box::default);
        let old = rare.settings.lock().replace(settings);
        drop(old);
    }
}
