use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;

use once_cell::race::OnceBox;

use crate::bounds::{AnyValue, MaybeSend, MaybeSync, share, shared};
use crate::sync::Mutex;

/// Volatile values of one peer or hub, one per type: handles, senders, caches.
///
/// A peer's values live as long as the connection does in memory, and are not restored when a
/// sleeping object wakes. Values that must survive belong into the peer's context.
#[derive(Default)]
// A pointer, because most peers have none.
pub struct Extensions(OnceBox<Mutex<Values>>);

type Values = HashMap<TypeId, Arc<AnyValue>>;

impl Extensions {
    /// Inserts a value, and returns the one of the same type that it replaces.
    pub fn insert<T: MaybeSend + MaybeSync + 'static>(&self, value: T) -> Option<Arc<T>> {
        let new = share(value);
        let old = self
            .0
            .get_or_init(Box::default)
            .lock()
            .insert(TypeId::of::<T>(), new);
        shared(old?)
    }

    /// Returns the value of this type. Inserts its default first if there is none.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// hub.extensions().get_or_default::<AtomicU64>().fetch_add(1, Ordering::Relaxed);
    /// ```
    pub fn get_or_default<T: Default + MaybeSend + MaybeSync + 'static>(&self) -> Arc<T> {
        let fresh: Arc<AnyValue> = share(T::default());
        let mut values = self.0.get_or_init(Box::default).lock();
        let value = values.entry(TypeId::of::<T>()).or_insert(fresh).clone();
        drop(values);
        // The entry's key is the value's type.
        shared(value).unwrap_or_default()
    }

    /// Returns the value of this type, if there is one.
    pub fn get<T: MaybeSend + MaybeSync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.0.get()?.lock().get(&TypeId::of::<T>()).cloned();
        shared(value?)
    }

    /// Inserts all of these values, and replaces those of the same types.
    pub(crate) fn extend(&self, others: Self) {
        let Some(others) = others.0.get() else {
            return;
        };
        let others = std::mem::take(&mut *others.lock());
        if others.is_empty() {
            return;
        }
        let mut values = self.0.get_or_init(Box::default).lock();
        // Dropped without the lock: their destructors are user code.
        let old: Vec<_> = others
            .into_iter()
            .filter_map(|(key, value)| values.insert(key, value))
            .collect();
        drop(values);
        drop(old);
    }

    /// Returns whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes and returns the value of this type.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.extensions().insert(7_u32);
    /// assert_eq!(hub.extensions().remove::<u32>().as_deref(), Some(&7));
    /// assert!(hub.extensions().get::<u32>().is_none());
    /// ```
    pub fn remove<T: MaybeSend + MaybeSync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.0.get()?.lock().remove(&TypeId::of::<T>());
        shared(value?)
    }

    fn len(&self) -> usize {
        self.0.get().map_or(0, |values| values.lock().len())
    }
}

/// Copies the handles to the same values. A later insertion into one copy does not change the
/// other.
impl Clone for Extensions {
    fn clone(&self) -> Self {
        let clone = Self::default();
        if let Some(values) = self.0.get() {
            let values = values.lock().clone();
            *clone.0.get_or_init(Box::default).lock() = values;
        }
        clone
    }
}

crate::opaque_debug!([] Extensions, self => (format_args!("{} values", self.len())));
