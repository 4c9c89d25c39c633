use std::any::type_name;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bounds::{AnyValue, MaybeSend, MaybeSync, share, shared};
use crate::message::codec::{DecodeError, EncodeError};
use crate::peer::Peer;
use crate::peer::snapshot::persist_error::PersistError;
use crate::sync::Mutex;

/// The requirements on a peer's typed context: it is serializable, so that it outlives a sleeping
/// object. See [`Peer::update_context`].
///
/// Implemented for every type that qualifies, and cannot be implemented by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a peer's context",
    label = "a context is stored, and must implement `serde::Serialize` and `DeserializeOwned`",
    note = "derive both, or keep a value that lives in memory only with `Upgrade::extension` or `UpgradeRequest::attach`"
)]
pub trait PeerContext: Serialize + DeserializeOwned + MaybeSend + MaybeSync + 'static {}
impl<T: Serialize + DeserializeOwned + MaybeSend + MaybeSync + 'static> PeerContext for T {}

/// Why a peer's context could not be read or written.
///
/// ```
/// # use std::sync::Arc;
/// # use crossws_core::{ContextError, Peer};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Default, Serialize, Deserialize)]
/// struct Player {
///     score: u32,
/// }
///
/// fn player(peer: &Peer) -> Result<Arc<Player>, ContextError> {
///     match peer.context() {
///         Err(ContextError::Missing) => {
///             peer.set_context(Player::default())?;
///             peer.context()
///         }
///         player => player,
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The upgrade hook set no context, and no later call did.
    #[error("this peer has no context: the upgrade hook set none")]
    Missing,
    /// The context has another type.
    #[error("this peer's context is a {actual}, not a {asked}")]
    Type {
        /// The requested type.
        asked: &'static str,
        /// The type of the context.
        actual: &'static str,
    },
    /// The value cannot be written as JSON.
    #[error("this peer's context is not stored: {0}")]
    Encode(#[from] EncodeError),
    /// The stored JSON does not fit the type.
    #[error("this peer's context is of another type: {0}")]
    Decode(#[from] DecodeError),
    /// The transport hibernates and could not store the new context.
    #[error(transparent)]
    Persist(#[from] PersistError),
}

/// A peer's context of any type.
#[derive(Default)]
pub(crate) struct ContextCell(Mutex<Option<Held>>);

/// Kept from a replaced context, so that the replacement can be undone.
struct Replaced(Option<Held>);

/// Three words; a fourth would say whether it is typed or stored.
#[derive(Clone)]
struct Held {
    value: Arc<AnyValue>,
    kind: &'static ContextKind,
}

/// What is known about a context's type.
struct ContextKind {
    /// Restored JSON, until a call asks for a type that it fits.
    stored: bool,
    name: fn() -> &'static str,
    to_json: fn(Arc<AnyValue>) -> Result<Value, serde_json::Error>,
}

struct KindOf<T>(PhantomData<T>);

impl<T: PeerContext> KindOf<T> {
    const KIND: ContextKind = ContextKind {
        stored: false,
        name: type_name::<T>,
        to_json: |value| match shared::<T>(value) {
            Some(value) => serde_json::to_value(&*value),
            None => Ok(Value::Null),
        },
    };
}

static STORED: ContextKind = ContextKind {
    stored: true,
    ..KindOf::<Value>::KIND
};

impl Held {
    fn typed<T: PeerContext>(value: T) -> Self {
        Self {
            value: share(value),
            kind: &KindOf::<T>::KIND,
        }
    }

    fn stored(json: Value) -> Self {
        Self {
            value: share(json),
            kind: &STORED,
        }
    }

    /// Returns the JSON, if it is stored.
    fn json(&self) -> Option<Arc<Value>> {
        let value = self.kind.stored.then(|| Arc::clone(&self.value));
        shared(value?)
    }

    fn downcast<T: PeerContext>(&self) -> Result<Arc<T>, ContextError> {
        shared(Arc::clone(&self.value)).ok_or(ContextError::Type {
            asked: type_name::<T>(),
            actual: (self.kind.name)(),
        })
    }
}

impl ContextCell {
    pub(crate) fn new<T: PeerContext>(value: T) -> Self {
        Self(Mutex::new(Some(Held::typed(value))))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_none()
    }

    /// Creates a context from stored JSON.
    pub(crate) fn stored(json: Option<Value>) -> Self {
        Self(Mutex::new(json.map(Held::stored)))
    }

    /// Replaces the context and returns the old one, whose destructor is user code: it runs after
    /// the lock is released.
    fn set<T: PeerContext>(&self, value: T) -> Replaced {
        let new = Held::typed(value);
        Replaced(self.0.lock().replace(new))
    }

    /// Replaces the value that was read, unless another has replaced it since.
    fn swap<T: PeerContext>(&self, known: &Arc<T>, value: T) -> Option<Replaced> {
        let new = Held::typed(value);
        let mut held = self.0.lock();
        // Not by the address of `held.value`, which on `wasm32` is a box around the value.
        let same = |held: &Held| {
            let value = shared::<T>(Arc::clone(&held.value));
            value.is_some_and(|value| Arc::ptr_eq(&value, known))
        };
        if !held.as_ref().is_some_and(same) {
            return None;
        }
        Some(Replaced(held.replace(new)))
    }

    pub(crate) fn get<T: PeerContext>(&self) -> Result<Arc<T>, ContextError> {
        let found = self.held()?;
        let Some(json) = found.json() else {
            return found.downcast();
        };
        // User code, on a clone of the handle, outside the lock.
        let value = T::deserialize(&*json).map_err(DecodeError::new)?;
        let typed = Held::typed(value);
        let mut held = self.0.lock();
        let same = |held: &&mut Held| Arc::ptr_eq(&held.value, &found.value);
        if let Some(held) = held.as_mut().filter(same) {
            // No other thread was faster: from here on all share this value.
            let _stored = std::mem::replace(held, typed.clone());
            return typed.downcast();
        }
        drop(held);
        let other = self.held()?;
        match other.kind.stored {
            true => typed.downcast(),
            false => other.downcast(),
        }
    }

    pub(crate) fn to_json(&self) -> Result<Value, ContextError> {
        // Serialising is user code too: it runs on a clone of the handle, outside the lock.
        let held = self.held()?;
        let json = (held.kind.to_json)(held.value).map_err(EncodeError::new)?;
        Ok(json)
    }

    /// Returns the context in its stored form, if there is one.
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

impl Peer {
    /// Changes the peer's context: `change` gets a copy, which then replaces the context. Returns
    /// the result of `change`.
    ///
    /// No change is lost: if another call has replaced the context meanwhile, `change` runs again
    /// with a copy of the new one. `change` runs under no lock, and may use the peer. If the
    /// transport hibernates, the new context is stored, and outlives the memory.
    ///
    /// ```
    /// # use crossws_core::{ContextError, Peer};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct Player {
    ///     score: u32,
    /// }
    ///
    /// fn scores(peer: &Peer) -> Result<u32, ContextError> {
    ///     peer.update_context(|player: &mut Player| {
    ///         player.score += 1;
    ///         player.score
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ContextError::Missing`] if there is none, [`ContextError::Type`] if it is of another type, and
    /// [`ContextError::Persist`] if the transport hibernates and cannot store the new one: the old one
    /// stays.
    pub fn update_context<T: PeerContext + Clone, R>(
        &self,
        mut change: impl FnMut(&mut T) -> R,
    ) -> Result<R, ContextError> {
        loop {
            let known = self.context::<T>()?;
            let mut value = T::clone(&known);
            let result = change(&mut value);
            if let Some(old) = self.0.context.swap(&known, value) {
                self.persist_context(old)?;
                return Ok(result);
            }
        }
    }

    /// Stores the current context, or restores the old one on failure.
    fn persist_context(&self, old: Replaced) -> Result<(), ContextError> {
        if let Err(error) = self.persist() {
            let _new = std::mem::replace(&mut *self.0.context.0.lock(), old.0);
            return Err(error.into());
        }
        Ok(())
    }

    /// Returns the peer's context.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let name = peer.context::<String>()?;
    /// println!("{name} has connected");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ContextError::Missing`] if there is none, [`ContextError::Type`] if it is of another
    /// type.
    #[doc(alias = "data")]
    #[doc(alias = "assigns")]
    pub fn context<T: PeerContext>(&self) -> Result<Arc<T>, ContextError> {
        self.0.context.get()
    }

    /// Replaces the peer's context.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.set_context("ann".to_owned())?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ContextError::Persist`] if the transport hibernates and cannot store the new context: the
    /// old one stays. On other transports it never fails.
    pub fn set_context<T: PeerContext>(&self, context: T) -> Result<(), ContextError> {
        let old = self.0.context.set(context);
        self.persist_context(old)
    }

    /// Reads the peer's context as another type than its own, such as `serde_json::Value`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let user: std::collections::HashMap<String, String> = peer.context_as()?;
    /// println!("{}", user["name"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ContextError::Missing`] if there is none, [`ContextError::Encode`] and
    /// [`ContextError::Decode`] if it does not convert.
    pub fn context_as<T: DeserializeOwned>(&self) -> Result<T, ContextError> {
        let json = self.0.context.to_json()?;
        Ok(T::deserialize(json).map_err(DecodeError::new)?)
    }
}
