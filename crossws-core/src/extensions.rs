use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use once_cell::race::OnceBox;

use crate::bounds::{AnyValue, MaybeSend, MaybeSync, share, shared};
use crate::sync::Mutex;

/// Volatile values of one peer, one per type: handles, senders, caches.
///
/// They live as long as the connection does in memory, and are not restored when a sleeping
/// object wakes. What must survive belongs into the peer's context.
#[derive(Default)]
// A pointer, because most peers have none.
pub struct Extensions(OnceBox<Mutex<Values>>);

type Values = HashMap<TypeId, Arc<AnyValue>>;

impl Extensions {
    /// Puts a value in, and gives back the one of the same type that it replaces.
    pub fn insert<T: MaybeSend + MaybeSync + 'static>(&self, value: T) -> Option<Arc<T>> {
        let new = share(value);
        let old = self
            .0
            .get_or_init(Box::default)
            .lock()
            .insert(TypeId::of::<T>(), new);
        shared(old?)
    }

    /// The value of this type, if there is one.
    pub fn get<T: MaybeSend + MaybeSync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.0.get()?.lock().get(&TypeId::of::<T>()).cloned();
        shared(value?)
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the value of this type out.
    pub fn remove<T: MaybeSend + MaybeSync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.0.get()?.lock().remove(&TypeId::of::<T>());
        shared(value?)
    }

    fn len(&self) -> usize {
        self.0.get().map_or(0, |values| values.lock().len())
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({} values)", self.len())
    }
}
