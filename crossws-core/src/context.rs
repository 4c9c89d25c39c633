use std::any::type_name;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::PersistError;
use crate::bounds::{AnyValue, MaybeSend, MaybeSync, share, shared};
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
    /// The transport hibernates and could not store the new context.
    #[error(transparent)]
    Persist(#[from] PersistError),
}

/// A peer's context, whatever its type.
#[derive(Default)]
pub(crate) struct ContextCell(Mutex<Option<Held>>);

/// Kept from a replaced context, so that the replacement can be undone.
pub(crate) struct Replaced(Option<Held>);

#[derive(Clone)]
enum Held {
    Typed(Typed),
    /// Restored, until somebody asks for a type that it fits.
    Stored(Arc<Value>),
}

#[derive(Clone)]
struct Typed {
    value: Arc<AnyValue>,
    kind: &'static Kind,
}

/// What is known of a context's type.
struct Kind {
    name: fn() -> &'static str,
    to_json: fn(Arc<AnyValue>) -> Result<Value, serde_json::Error>,
}

struct KindOf<T>(PhantomData<T>);

impl<T: Context> KindOf<T> {
    const KIND: Kind = Kind {
        name: type_name::<T>,
        to_json: |value| match shared::<T>(value) {
            Some(value) => serde_json::to_value(&*value),
            None => Ok(Value::Null),
        },
    };
}

impl Typed {
    fn new<T: Context>(value: T) -> Self {
        Self {
            value: share(value),
            kind: &KindOf::<T>::KIND,
        }
    }
}

impl ContextCell {
    pub(crate) fn new<T: Context>(value: T) -> Self {
        Self(Mutex::new(Some(Held::Typed(Typed::new(value)))))
    }

    /// A context that was stored as JSON.
    pub(crate) fn stored(json: Option<Value>) -> Self {
        Self(Mutex::new(json.map(|json| Held::Stored(Arc::new(json)))))
    }

    /// Replaces the context and hands out the old one, whose destructor is user code: it runs
    /// after the lock is gone.
    pub(crate) fn set<T: Context>(&self, value: T) -> Replaced {
        let new = Held::Typed(Typed::new(value));
        Replaced(self.0.lock().replace(new))
    }

    pub(crate) fn undo(&self, old: Replaced) {
        let _new = std::mem::replace(&mut *self.0.lock(), old.0);
    }

    pub(crate) fn get<T: Context>(&self) -> Result<Arc<T>, ContextError> {
        let json = match self.held()? {
            Held::Typed(typed) => return typed.downcast(),
            Held::Stored(json) => json,
        };
        // User code, on a clone of the handle, outside the lock.
        let typed = Typed::new(T::deserialize(&*json)?);
        let mut held = self.0.lock();
        match &*held {
            // Nobody was faster: from here on all share this value.
            Some(Held::Stored(same)) if Arc::ptr_eq(same, &json) => {
                *held = Some(Held::Typed(typed.clone()));
                drop(held);
                typed.downcast()
            }
            _ => {
                drop(held);
                match self.held()? {
                    Held::Typed(other) => other.downcast(),
                    Held::Stored(_) => typed.downcast(),
                }
            }
        }
    }

    pub(crate) fn to_json(&self) -> Result<Value, ContextError> {
        match self.held()? {
            // Serialising is user code too: on a clone of the handle, outside the lock.
            Held::Typed(typed) => Ok((typed.kind.to_json)(typed.value)?),
            Held::Stored(json) => Ok((*json).clone()),
        }
    }

    /// The context as it is stored, if there is one.
    pub(crate) fn to_stored(&self) -> Result<Option<Value>, PersistError> {
        match self.to_json() {
            Ok(json) => Ok(Some(json)),
            Err(ContextError::Missing) => Ok(None),
            Err(error) => Err(PersistError::Context(error.to_string())),
        }
    }

    fn held(&self) -> Result<Held, ContextError> {
        self.0.lock().clone().ok_or(ContextError::Missing)
    }
}

impl Typed {
    fn downcast<T: Context>(&self) -> Result<Arc<T>, ContextError> {
        shared(Arc::clone(&self.value)).ok_or(ContextError::Type {
            asked: type_name::<T>(),
            actual: (self.kind.name)(),
        })
    }
}
