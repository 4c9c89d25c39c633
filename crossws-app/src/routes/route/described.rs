//! What a route says about itself, for generated clients and documents.

use std::sync::Arc;

#[cfg(feature = "schema")]
use crossws_core::{MaybeSend, MaybeSync};
#[cfg(feature = "schema")]
use serde::de::DeserializeOwned;

use crate::description::About;
#[cfg(feature = "schema")]
use crate::description::SchemaOf;
use crate::routes::route::RouteBuilder;

impl RouteBuilder {
    /// Describes the route in a sentence or more, for generated clients and documents:
    /// [`Router::describe`](crate::Router::describe).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().route("/rooms/{room}", route(hooks()).doc("The talk of one room."));
    /// assert_eq!(app.describe()?.routes[0].doc.as_deref(), Some("The talk of one room."));
    /// # Ok::<_, RouterError>(())
    /// ```
    pub fn doc(self, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        self.tell(|about| about.doc = Some(text))
    }

    /// Names the type of the messages from clients, for generated clients and documents. What the hooks
    /// read does not change. [`TypedHooks::described`](crate::TypedHooks::described) names both types
    /// at once.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Question {
    ///     text: String,
    /// }
    ///
    /// #[derive(Serialize, JsonSchema)]
    /// struct Answer {
    ///     text: String,
    /// }
    ///
    /// let answers = hooks().on_message(|peer: Peer, message: Message| async move {
    ///     let Question { text } = message.json()?;
    ///     peer.send(Json(Answer { text }))?;
    ///     ok()
    /// });
    /// let app = Router::new().route("/ask", route(answers).receives::<Question>().sends::<Answer>());
    /// assert!(app.describe()?.definitions.contains_key("Question"));
    /// # Ok::<_, RouterError>(())
    /// ```
    #[cfg(feature = "schema")]
    pub fn receives<T: schemars::JsonSchema>(self) -> Self {
        self.tell(|about| about.receives = Some(SchemaOf::read::<T>()))
    }

    /// Names the type of the messages to clients: see [`receives`](Self::receives).
    #[cfg(feature = "schema")]
    pub fn sends<T: schemars::JsonSchema>(self) -> Self {
        self.tell(|about| about.sends = Some(SchemaOf::written::<T>()))
    }

    /// As [`query`](Self::query), and names the type for generated clients and documents.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Search {
    ///     term: String,
    ///     page: Option<u32>,
    /// }
    ///
    /// let app = Router::new().route("/search", route(hooks()).described_query::<Search>());
    /// assert!(app.describe()?.routes[0].query.is_some());
    /// # Ok::<_, RouterError>(())
    /// ```
    #[cfg(feature = "schema")]
    pub fn described_query<T>(self) -> Self
    where
        T: DeserializeOwned + schemars::JsonSchema + MaybeSend + MaybeSync + 'static,
    {
        self.query::<T>()
            .tell(|about| about.query = Some(SchemaOf::read::<T>()))
    }

    /// Adds to the description.
    pub(crate) fn tell(mut self, tell: impl FnOnce(&mut About)) -> Self {
        tell(self.about.get_or_insert_default());
        self
    }
}
