use crossws_core::{EncodeError, IntoMessage, Message};
use serde::Serialize;

use crate::calls::wire::WireForm;

/// Makes an event a message, for whom [`PeerCalls::emit`](crate::calls::PeerCalls::emit) does not
/// reach: topics, identities, everyone.
///
/// ```
/// use crossws_app::calls::event;
/// use crossws_core::{Hub, Peer, PublishError};
///
/// fn typing(peer: &Peer, hub: &Hub) -> Result<(), PublishError> {
///     peer.to("room").volatile().send(event("typing", peer.id()))?;
///     hub.identity("ann").send(event("note", "hello"))?;
///     Ok(())
/// }
/// ```
#[doc(alias = "emit")]
pub fn event<P: Serialize>(name: impl Into<String>, payload: P) -> EventMessage<P> {
    EventMessage {
        name: name.into(),
        payload,
        form: WireForm::Plain,
    }
}

/// An event as a message: see [`event`].
#[derive(Debug, Clone)]
#[must_use = "an event does nothing until it is sent"]
pub struct EventMessage<P> {
    name: String,
    payload: P,
    form: WireForm,
}

impl<P> EventMessage<P> {
    /// Sets the form in which it is encoded: that of the route, [`Calls::form`](crate::calls::Calls::form).
    pub fn form(mut self, form: WireForm) -> Self {
        self.form = form;
        self
    }

    /// Encodes it as a notification of JSON-RPC 2.0, for routes with
    /// [`json_rpc`](crate::calls::Calls::json_rpc).
    pub fn json_rpc(self) -> Self {
        self.form(WireForm::JsonRpc)
    }
}

impl<P: Serialize> IntoMessage for EventMessage<P> {
    fn into_message(self) -> Result<Message, EncodeError> {
        let payload = serde_json::to_value(self.payload).map_err(EncodeError::new)?;
        Message::from_json(&self.form.event(&self.name, payload))
    }
}
