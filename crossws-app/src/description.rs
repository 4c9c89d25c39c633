//! The description of a router, from which clients and documents are generated: [`Description`].

mod about;
mod schemas;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::calls::wire::WireForm;
use crate::routes::pattern::Pattern;

pub(crate) use about::{About, AboutCalls, AboutMethod};
#[cfg(feature = "schema")]
pub(crate) use schemas::SchemaOf;

/// The routes of a [`Router`](crate::Router), with what is known about their messages:
/// [`Router::describe`](crate::Router::describe). `crossws-codegen` turns it into a TypeScript client and
/// an AsyncAPI document.
///
/// A route knows its messages only if it names their types, with the feature `schema`:
#[cfg_attr(
    feature = "schema",
    doc = "[`TypedHooks::described`](crate::TypedHooks::described),
[`RouteBuilder::receives`](crate::RouteBuilder::receives) and
[`RouteBuilder::sends`](crate::RouteBuilder::sends); and its query only with
[`RouteBuilder::described_query`](crate::RouteBuilder::described_query)."
)]
#[cfg_attr(
    not(feature = "schema"),
    doc = "`TypedHooks::described`, `RouteBuilder::receives` and `RouteBuilder::sends`; and its query only
with `RouteBuilder::described_query`."
)]
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Description {
    /// The routes, in the order in which they were added. Fallbacks are not among them.
    pub routes: Vec<RouteDescription>,
    /// The schemas of named types. A schema refers to one as `{"$ref":"#/$defs/NAME"}`:
    /// [`resolve`](Self::resolve).
    pub definitions: BTreeMap<String, Value>,
}

impl Description {
    /// Returns the definition that a `$ref` names, with its name. Returns `None` if there is none.
    ///
    /// ```
    /// # use crossws_app::description::Description;
    /// assert_eq!(Description::default().resolve("#/$defs/User"), None);
    /// ```
    pub fn resolve(&self, reference: &str) -> Option<(&str, &Value)> {
        let name = schemas::name_of(reference)?;
        let (name, schema) = self.definitions.get_key_value(&*name)?;
        Some((name, schema))
    }
}

/// A route of a [`Description`].
///
/// ```
/// use crossws_app::Router;
/// use crossws_core::hooks;
///
/// let app = Router::new().route("/rooms/{id}", hooks());
/// for route in app.describe()?.routes {
///     println!("{}: {}", route.pattern, route.doc.unwrap_or_default());
/// }
/// # Ok::<_, crossws_app::RouterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RouteDescription {
    /// The pattern of the whole path.
    pub pattern: Pattern,
    /// The name: [`RouteBuilder::name`](crate::RouteBuilder::name).
    pub name: Option<String>,
    /// The text of [`RouteBuilder::doc`](crate::RouteBuilder::doc).
    pub doc: Option<String>,
    /// The subprotocols, the preferred one first.
    pub protocols: Vec<String>,
    /// The schema of the query; `None` if its type is unknown.
    pub query: Option<Value>,
    /// The messages from the client.
    pub receives: Content,
    /// The messages to the client.
    pub sends: Content,
    /// Whether the server reports errors to the client as `{"type":"error","message":TEXT}`, among the
    /// messages that it sends.
    pub reports_errors: bool,
    /// The calls and events, if the route has [`calls`](crate::calls::calls).
    pub calls: Option<CallsDescription>,
}

/// The messages of one direction.
///
/// ```
/// use crossws_app::description::Content;
///
/// fn is_typed(content: &Content) -> bool {
///     matches!(content, Content::Json(_))
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// Any messages, text or binary.
    Unknown,
    /// JSON of this schema, in text messages.
    Json(Value),
}

/// The calls and events of a route: see [`Calls::described`](crate::calls::Calls::described).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CallsDescription {
    /// The wire format.
    pub form: WireForm,
    /// The methods that the client calls, by name.
    pub methods: BTreeMap<String, MethodDescription>,
    /// The events from the client, by name, with the schemas of their payloads.
    pub events: BTreeMap<String, Option<Value>>,
    /// The methods of the client that the server calls, by name.
    pub client_methods: BTreeMap<String, MethodDescription>,
    /// The events to the client, by name, with the schemas of their payloads.
    pub client_events: BTreeMap<String, Option<Value>>,
}

/// A method of a route: see [`Calls::described`](crate::calls::Calls::described).
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct MethodDescription {
    /// The schema of the arguments; `None` if their type is unknown.
    pub args: Option<Value>,
    /// The schema of the result; `None` if its type is unknown.
    pub result: Option<Value>,
}

#[cfg(all(test, feature = "schema"))]
mod tests;
