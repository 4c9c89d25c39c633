//! The AsyncAPI document of an app.

mod channel;
mod schema;

use std::fmt;

use crossws_app::description::Description;
use serde_json::{Map, Value, json};

use super::generated::Generated;
use channel::Channels;

/// Describes an app as an AsyncAPI 3.0 document, for people and for the tools that read such documents: a
/// channel for each route, with its parameters and messages, and operations from the app's point of view,
/// which receives what clients send.
///
/// ```
/// use crossws_app::Router;
/// use crossws_core::hooks;
///
/// let app = Router::new().route("/rooms/{id}", hooks());
/// let document = crossws_codegen::asyncapi(&app.describe()?)
///     .title("Rooms")
///     .version("1.2.0")
///     .server("production", "wss", "example.com")
///     .document();
/// assert_eq!(document["channels"]["rooms"]["address"], "/rooms/{id}");
/// # Ok::<_, crossws_app::RouterError>(())
/// ```
pub fn asyncapi(description: &Description) -> AsyncApi {
    let mut channels = Channels::new(description);
    channels.add_routes();
    let Channels {
        channels,
        operations,
        schemas,
        ..
    } = channels;
    AsyncApi {
        title: "WebSocket API".to_owned(),
        version: "0.0.0".to_owned(),
        about: None,
        servers: Map::new(),
        channels,
        operations,
        schemas: schemas.definitions(description),
    }
}

/// See [`asyncapi`]. `Display` writes the document as JSON in lines.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "`document` returns the document"]
pub struct AsyncApi {
    title: String,
    version: String,
    about: Option<String>,
    servers: Map<String, Value>,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl AsyncApi {
    /// Sets the title of the document. Default `WebSocket API`.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets the version of the app's interface, such as `env!("CARGO_PKG_VERSION")`. Default `0.0.0`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Describes the app in a text of CommonMark. Default: none.
    pub fn about(mut self, text: impl Into<String>) -> Self {
        self.about = Some(text.into());
        self
    }

    /// Adds a server: its name in the document, of letters, digits, `-` and `_`; the protocol, `ws` or
    /// `wss`; and the host, with a port if wanted. Default: none.
    pub fn server(
        mut self,
        name: impl Into<String>,
        protocol: impl Into<String>,
        host: impl Into<String>,
    ) -> Self {
        let server = json!({ "host": host.into(), "protocol": protocol.into() });
        self.servers.insert(name.into(), server);
        self
    }

    /// Returns the document.
    pub fn document(&self) -> Value {
        let mut info = json!({ "title": self.title, "version": self.version });
        if let Some(about) = &self.about {
            info["description"] = about.as_str().into();
        }
        let mut document = json!({
            "asyncapi": "3.0.0",
            "info": info,
            "defaultContentType": "application/json",
            "channels": self.channels,
            "operations": self.operations,
            "components": { "schemas": self.schemas },
        });
        if !self.servers.is_empty() {
            document["servers"] = Value::Object(self.servers.clone());
        }
        document
    }

    /// Returns the document as the file `asyncapi.json`, which can be written and checked.
    pub fn generated(&self) -> Generated {
        Generated::new(vec![("asyncapi.json", format!("{self}\n"))])
    }
}

impl fmt::Display for AsyncApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.document())
    }
}
