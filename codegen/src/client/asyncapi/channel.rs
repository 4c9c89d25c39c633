//! Channels and operations from routes.

use std::collections::BTreeSet;

use crossws_app::calls::WireForm;
use crossws_app::description::{
    CallsDescription, Content, Description, MethodDescription, RouteDescription,
};
use serde_json::{Map, Value, json};

use super::schema::Schemas;
use crate::client::names::{self, ascii, unique};
use crate::client::text::url;

/// The parts of a document.
pub(super) struct Channels<'d> {
    description: &'d Description,
    pub(super) channels: Map<String, Value>,
    pub(super) operations: Map<String, Value>,
    pub(super) schemas: Schemas<'d>,
    taken: BTreeSet<String>,
}

/// A channel, and what its operations refer to.
struct Channel {
    id: String,
    /// The id as a part of other ids.
    name: String,
    messages: Map<String, Value>,
}

impl Channel {
    fn reference(&self) -> Value {
        json!({ "$ref": format!("#/channels/{}", self.id) })
    }

    /// Returns this key, or one with a number if a message has it.
    fn free(&self, key: String) -> String {
        let mut taken = self.messages.keys().cloned().collect();
        unique(key, &mut taken)
    }

    /// Adds a message and returns a reference to it.
    fn add(&mut self, key: &str, message: Value) -> Value {
        self.messages.insert(key.to_owned(), message);
        json!({ "$ref": format!("#/channels/{}/messages/{key}", self.id) })
    }
}

impl<'d> Channels<'d> {
    pub(super) fn new(description: &'d Description) -> Self {
        Self {
            description,
            channels: Map::new(),
            operations: Map::new(),
            schemas: Schemas::new(description),
            taken: BTreeSet::new(),
        }
    }

    pub(super) fn add_routes(&mut self) {
        let names = names::of_routes(self.description);
        for (route, name) in self.description.routes.iter().zip(names) {
            self.add_route(route, &name);
        }
    }

    fn add_route(&mut self, route: &RouteDescription, name: &str) {
        let name = match ascii(name) {
            name if name.is_empty() => "Index".to_owned(),
            name => name,
        };
        let id = unique(with_first(&name, char::to_ascii_lowercase), &mut self.taken);
        let mut channel = Channel {
            name: with_first(&id, char::to_ascii_uppercase),
            id,
            messages: Map::new(),
        };
        let contents = [
            ("receive", "fromClient", &route.receives, false),
            ("send", "fromServer", &route.sends, route.reports_errors),
        ];
        for (action, key, content, reports_errors) in contents {
            let message = channel.add(key, self.content(content, reports_errors));
            self.add_operation(&channel, action, "", message, None);
        }
        if let Some(calls) = &route.calls {
            self.add_calls(&mut channel, calls);
        }
        let (address, parameters) = address(route);
        let mut described = json!({
            "address": address,
            "messages": channel.messages,
            "bindings": { "ws": self.binding(route) },
        });
        if let Some(doc) = &route.doc {
            described["description"] = doc.as_str().into();
        }
        if !parameters.is_empty() {
            described["parameters"] = Value::Object(parameters);
        }
        self.channels.insert(channel.id, described);
    }

    fn content(&self, content: &Content, reports_errors: bool) -> Value {
        match content {
            Content::Json(schema) => {
                let mut payload = self.schemas.whole(schema);
                if reports_errors {
                    payload = json!({ "anyOf": [payload, error_message()] });
                }
                json!({ "contentType": "application/json", "payload": payload })
            }
            _ => json!({ "description": "Text or binary data, whose type the app does not name." }),
        }
    }

    fn add_calls(&mut self, channel: &mut Channel, calls: &CallsDescription) {
        let rpc = calls.form == WireForm::JsonRpc;
        let sides = [
            ("receive", &calls.events, &calls.methods),
            ("send", &calls.client_events, &calls.client_methods),
        ];
        for (action, events, methods) in sides {
            for (name, payload) in events {
                let payload = self.known(payload.as_ref());
                let members = [
                    ("event", "method", json!({ "const": name })),
                    ("payload", "params", payload),
                ];
                let (key, name) = ids(channel, action, "Event", name);
                let message = channel.add(&key, wire(rpc, members));
                self.add_operation(channel, action, &name, message, None);
            }
            for (name, method) in methods {
                self.add_method(channel, (rpc, action), name, method);
            }
        }
    }

    fn add_method(
        &mut self,
        channel: &mut Channel,
        (rpc, action): (bool, &str),
        name: &str,
        method: &MethodDescription,
    ) {
        let id = json!({ "type": ["integer", "number", "string"] });
        let members = [
            ("call", "method", json!({ "const": name })),
            ("id", "id", id.clone()),
            ("args", "params", self.known(method.args.as_ref())),
        ];
        let result = self.known(method.result.as_ref());
        let mut answer = json!({
            "type": "object",
            "properties": { "id": id, "result": result, "error": failure() },
            "required": ["id"],
            "oneOf": [{ "required": ["result"] }, { "required": ["error"] }],
        });
        if rpc {
            answer["properties"]["jsonrpc"] = json!({ "const": "2.0" });
        }
        let answer = json!({ "contentType": "application/json", "payload": answer });
        let (key, name) = ids(channel, action, "Call", name);
        let call = channel.add(&key, wire(rpc, members));
        // A method may be called `somethingAnswer`.
        let key = channel.free(format!("{key}Answer"));
        let answer = channel.add(&key, answer);
        self.add_operation(channel, action, &name, call, Some(answer));
    }

    fn add_operation(
        &mut self,
        channel: &Channel,
        action: &str,
        name: &str,
        message: Value,
        answer: Option<Value>,
    ) {
        let mut operation = json!({
            "action": action,
            "channel": channel.reference(),
            "messages": [message],
        });
        if let Some(answer) = answer {
            operation["reply"] = json!({ "channel": channel.reference(), "messages": [answer] });
        }
        let mut taken = self.operations.keys().cloned().collect();
        let id = unique(format!("{action}{}{name}", channel.name), &mut taken);
        self.operations.insert(id, operation);
    }

    /// Returns how a channel is a WebSocket: <https://github.com/asyncapi/bindings/tree/master/websockets>.
    fn binding(&self, route: &RouteDescription) -> Value {
        let mut binding = json!({ "method": "GET", "bindingVersion": "0.1.0" });
        if let Some(query) = route.query.as_ref().and_then(|schema| self.query(schema)) {
            binding["query"] = query;
        }
        if !route.protocols.is_empty() {
            binding["headers"] = json!({
                "type": "object",
                "properties": {
                    "Sec-WebSocket-Protocol": {
                        "type": "string",
                        "examples": [route.protocols.join(", ")],
                    },
                },
            });
        }
        binding
    }

    /// Returns the schema of a query: in its place, because it must have properties itself.
    fn query(&self, schema: &Value) -> Option<Value> {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let found = reference.and_then(|name| self.description.resolve(name));
        let schema = found.map_or(schema, |(_, schema)| schema);
        schema.get("properties")?;
        Some(self.schemas.convert(schema))
    }

    fn known(&self, schema: Option<&Value>) -> Value {
        schema.map_or(json!(true), |schema| self.schemas.convert(schema))
    }
}

/// Returns the key of a call's or an event's message, and the last part of its operation's id.
fn ids(channel: &Channel, action: &str, kind: &str, name: &str) -> (String, String) {
    let name = format!("{kind}{}", ascii(&names::pascal(name)));
    let from = if action == "send" { "server" } else { "client" };
    (channel.free(format!("{from}{name}")), name)
}

/// Returns a message of a wire form: members with their names in the plain form and in JSON-RPC, of
/// which the last one, the payload, may be left out.
fn wire<const N: usize>(rpc: bool, members: [(&str, &str, Value); N]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    if rpc {
        properties.insert("jsonrpc".to_owned(), json!({ "const": "2.0" }));
        required.push("jsonrpc");
    }
    for (plain, in_rpc, schema) in members {
        let key = if rpc { in_rpc } else { plain };
        properties.insert(key.to_owned(), schema);
        required.push(key);
    }
    required.pop();
    let payload = json!({ "type": "object", "properties": properties, "required": required });
    json!({ "contentType": "application/json", "payload": payload })
}

fn failure() -> Value {
    json!({
        "type": "object",
        "properties": { "code": { "type": "integer" }, "message": { "type": "string" }, "data": true },
        "required": ["code", "message"],
    })
}

fn error_message() -> Value {
    json!({
        "type": "object",
        "properties": { "type": { "const": "error" }, "message": { "type": "string" } },
        "required": ["type", "message"],
    })
}

/// Returns the address of a route, and its parameters. Their names are of ASCII in a document.
fn address(route: &RouteDescription) -> (String, Map<String, Value>) {
    let mut address = String::new();
    let mut parameters = Map::new();
    let mut taken = BTreeSet::new();
    for segment in route.pattern.segments() {
        address.push('/');
        address.push_str(&url(segment.prefix));
        if let Some(name) = segment.param {
            let key = unique(ascii(name), &mut taken);
            address.push_str(&format!("{{{key}}}"));
            let mut parameter = Map::new();
            if segment.is_catch_all {
                let text = "The rest of the path, which may contain slashes.";
                parameter.insert("description".to_owned(), text.into());
            }
            if key != name {
                parameter.insert("x-name".to_owned(), name.into());
            }
            parameters.insert(key, Value::Object(parameter));
        }
        address.push_str(&url(segment.suffix));
    }
    if route.pattern.has_trailing_slash() || address.is_empty() {
        address.push('/');
    }
    (address, parameters)
}

fn with_first(name: &str, change: impl Fn(&char) -> char) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| change(&c));
    first.into_iter().chain(chars).collect()
}
