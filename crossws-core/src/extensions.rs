use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::bounds::{AnyValue, MaybeSend, MaybeSync};
use crate::sync::Mutex;

/// Volatile values of one peer, one per type: handles, senders, caches.
///
/// They live as long as the connection does in memory, and are not restored when a sleeping
/// object wakes. What must survive belongs into the peer's context.
#[derive(Default)]
pub struct Extensions(Mutex<HashMap<TypeId, Arc<AnyValue>>>);

impl Extensions {
    /// Puts a value in, and gives back the one of the same type that it replaces.
    pub fn insert<T: MaybeSend + MaybeSync + 'static>(&self, value: T) -> Option<Arc<T>> {
        let old = self.0.lock().insert(TypeId::of::<T>(), Arc::new(value));
        old.and_then(|old| old.downcast().ok())
    }

    /// The value of this type, if there is one.
    pub fn get<T: MaybeSend + MaybeSync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.0.lock().get(&TypeId::of::<T>()).cloned();
        value.and_then(|value| value.downcast().ok())
    }

    /// Takes the value of this type out.
    pub fn remove<T: MaybeSend + MaybeSync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.0.lock().remove(&TypeId::of::<T>());
        value.and_then(|value| value.downcast().ok())
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({} values)", self.0.lock().len())
    }
}
