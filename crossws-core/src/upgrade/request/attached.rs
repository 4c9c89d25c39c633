//! What layers attach to a request, and what becomes of it.

use std::any::type_name;
use std::sync::Arc;

use crate::bounds::{MaybeSend, MaybeSync};
use crate::peer::extensions::Extensions;
use crate::upgrade::request::{Head, UpgradeRequest};

impl UpgradeRequest {
    /// Attaches a value for the hooks, one per type: the result of a layer that runs before the
    /// upgrade. Read it with [`attached`](Self::attached) or
    /// [`Peer::attached`](crate::Peer::attached). Returns the value of the same type that it
    /// replaces.
    ///
    /// A peer's attached values are its [`extensions`](crate::Peer::extensions). They are not
    /// stored when an object sleeps: the layers run again, and attach them again, when it wakes.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// request.attach("ann".to_owned());
    /// assert_eq!(*request.attached::<String>()?, "ann");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn attach<T: MaybeSend + MaybeSync + 'static>(&mut self, value: T) -> Option<Arc<T>> {
        self.volatile.insert(value)
    }

    /// Returns the attached value of this type.
    ///
    /// # Errors
    /// [`NotAttached`], which names the type, if no layer has attached one.
    pub fn attached<T: MaybeSend + MaybeSync + 'static>(&self) -> Result<Arc<T>, NotAttached> {
        self.volatile.get().ok_or_else(NotAttached::new::<T>)
    }

    /// Declares that a test has already attached the values of the layers: layers that decide who
    /// may connect then leave the request alone.
    pub fn admit(&mut self) {
        self.attach(IsAdmitted);
    }

    /// Returns whether the request [is admitted](Self::admit).
    pub fn is_admitted(&self) -> bool {
        self.volatile.get::<IsAdmitted>().is_some()
    }

    /// Notes that the connection was admitted before its object slept.
    pub(crate) fn wake(&mut self) {
        self.attach(HasWoken);
    }

    /// Returns whether layers run again for a connection that has woken, to attach their values again. A
    /// layer that counts connections must not count or refuse such a one.
    pub fn has_woken(&self) -> bool {
        self.volatile.get::<HasWoken>().is_some()
    }

    /// Sets the identity of the connection, for a layer that authenticates: see
    /// [`Upgrade::identity`](crate::Upgrade::identity), which replaces it.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// request.set_identity("ann");
    /// assert_eq!(request.identity().as_deref(), Some("ann"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_identity(&mut self, identity: impl Into<Arc<str>>) {
        self.attach(Identity(identity.into()));
    }

    /// Returns the identity that a layer has set.
    pub fn identity(&self) -> Option<Arc<str>> {
        let identity: Arc<Identity> = self.volatile.get()?;
        Some(Arc::clone(&identity.0))
    }

    /// Attaches a clone of the value of this type that HTTP middleware has stored in the request's
    /// `http` extensions, such as a session's user. Returns whether there was one.
    pub fn adopt<T: Clone + Send + Sync + 'static>(&mut self) -> bool {
        let extensions = match &self.head {
            Head::Whole(whole) => &whole.parts.extensions,
            Head::Packed(packed) => &packed.extensions,
        };
        let value: Option<T> = extensions.get().cloned();
        value.map(|value| self.attach(value)).is_some()
    }

    /// Returns the attached values.
    pub(crate) fn volatile(&self) -> &Extensions {
        &self.volatile
    }

    pub(crate) fn volatile_mut(&mut self) -> &mut Extensions {
        &mut self.volatile
    }

    /// Returns only the attached values.
    pub(crate) fn into_volatile(self) -> Extensions {
        self.volatile.remove::<HasWoken>();
        self.volatile
    }
}

/// See [`UpgradeRequest::admit`].
struct IsAdmitted;

/// See [`UpgradeRequest::has_woken`].
struct HasWoken;

/// The connection's identity, among the attached values.
struct Identity(Arc<str>);

/// No value of the requested type is attached: no layer before the upgrade attached one.
///
/// ```
/// # use crossws_core::*;
/// struct User(String);
///
/// fn name(peer: &Peer) -> Result<String, NotAttached> {
///     Ok(peer.attached::<User>()?.0.clone())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no `{type_name}` is attached to this request: no layer before the upgrade attached one")]
pub struct NotAttached {
    type_name: &'static str,
}

impl NotAttached {
    fn new<T>() -> Self {
        Self {
            type_name: type_name::<T>(),
        }
    }

    /// Returns the name of the requested type, in the form of [`type_name`].
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }
}
