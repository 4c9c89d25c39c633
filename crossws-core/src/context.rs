use std::any::{Any, type_name};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bounds::{AnyValue, MaybeSend, MaybeSync};
use crate::sync::Mutex;

/// What a peer's typed context must be: serializable, so that it outlives a sleeping object.
///
/// Implemented for every type that qualifies; nobody implements it by hand.
pub trait Context: Serialize + DeserializeOwned + MaybeSend + MaybeSync + 'static {}
impl<T: Serialize + DeserializeOwned + MaybeSend + MaybeSync + 'static> Context for T {}

/// Why a peer's context could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The upgrade hook set none, and nobody set one since.
    #[error("this peer has no context: the upgrade hook set none")]
    Missing,
    /// The context has another type.
    #[error("this peer's context is a {actual}, not a {asked}")]
    Type {
        /// The type asked for.
        asked: &'static str,
        /// The type it has.
        actual: &'static str,
    },
    /// The value cannot be written as JSON, or the stored JSON does not fit the type.
    #[error("this peer's context does not convert to or from JSON")]
    Json(#[from] serde_json::Error),
}

/// A peer's context, whatever its type.
#[derive(Default)]
pub(crate) struct ContextCell(Mutex<Option<Typed>>);

#[derive(Clone)]
struct Typed {
    value: Arc<AnyValue>,
    name: &'static str,
    to_json: fn(&AnyValue) -> Result<Value, serde_json::Error>,
}

impl Typed {
    fn new<T: Context>(value: T) -> Self {
        Self {
            value: Arc::new(value),
            name: type_name::<T>(),
            to_json: |value| match (value as &dyn Any).downcast_ref::<T>() {
                Some(value) => serde_json::to_value(value),
                None => Ok(Value::Null),
            },
        }
    }
}

impl ContextCell {
    pub(crate) fn new<T: Context>(value: T) -> Self {
        Self(Mutex::new(Some(Typed::new(value))))
    }

    pub(crate) fn set<T: Context>(&self, value: T) {
        let new = Typed::new(value);
        // The old value's destructor is user code: it runs after the lock is gone.
        let _old = self.0.lock().replace(new);
    }

    pub(crate) fn get<T: Context>(&self) -> Result<Arc<T>, ContextError> {
        let typed = self.typed()?;
        typed.value.downcast::<T>().map_err(|_| ContextError::Type {
            asked: type_name::<T>(),
            actual: typed.name,
        })
    }

    pub(crate) fn to_json(&self) -> Result<Value, ContextError> {
        let typed = self.typed()?;
        // Serialising is user code too: on a clone of the handle, outside the lock.
        Ok((typed.to_json)(&*typed.value)?)
    }

    fn typed(&self) -> Result<Typed, ContextError> {
        self.0.lock().clone().ok_or(ContextError::Missing)
    }
}
