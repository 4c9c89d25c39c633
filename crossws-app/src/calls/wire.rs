use serde_json::{Map, Value, json};

use crate::calls::error::Failure;

/// The wire format of events, calls and answers. All are JSON in text messages.
///
/// | | [`Plain`](Self::Plain) | [`JsonRpc`](Self::JsonRpc) |
/// |---|---|---|
/// | event | `{"event":E,"payload":P}` | `{"jsonrpc":"2.0","method":E,"params":P}` |
/// | call | `{"call":M,"id":I,"args":A}` | `{"jsonrpc":"2.0","method":M,"params":A,"id":I}` |
/// | answer | `{"id":I,"result":R}` | `{"jsonrpc":"2.0","id":I,"result":R}` |
/// | failure | `{"id":I,"error":F}` | `{"jsonrpc":"2.0","id":I,"error":F}` |
/// | cancellation | `{"cancel":I}` | the notification `$/cancelRequest` with `{"id":I}` |
///
/// An id is a number or a string of at most 128 bytes. A missing payload, or missing arguments, are
/// null.
///
/// ```
/// # use crossws_app::calls::WireForm;
/// # use serde_json::json;
/// let call = json!({"call": "add", "id": 1, "args": [40, 2]});
/// assert_eq!(WireForm::Plain.call(1, "add", json!([40, 2])), call);
///
/// let call = json!({"jsonrpc": "2.0", "method": "add", "params": [40, 2], "id": 1});
/// assert_eq!(WireForm::JsonRpc.call(1, "add", json!([40, 2])), call);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WireForm {
    /// The form of this crate. A message that is none of these reaches the inner hooks.
    #[default]
    Plain,
    /// JSON-RPC 2.0. Any other message is answered with an error, as the specification says.
    /// Cancellations are those of the Language Server Protocol: a call that the client withdraws is
    /// answered with [`Failure::CANCELLED`].
    JsonRpc,
}

/// The name of JSON-RPC's cancellation.
const CANCEL: &str = "$/cancelRequest";

/// The longest id that is a string, in bytes.
const MAX_ID: usize = 128;

/// A parsed message of a [`WireForm`]: for clients, and for tests of servers.
///
/// ```
/// # use crossws_app::calls::{CallMessage, WireForm};
/// # use serde_json::json;
/// match WireForm::Plain.read(json!({"event": "typing", "payload": "ann"})) {
///     CallMessage::Event { name, payload } => assert_eq!((&*name, payload), ("typing", json!("ann"))),
///     other => panic!("not an event: {other:?}"),
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)] // the parts are those of the form's table
pub enum CallMessage {
    /// An event.
    Event { name: String, payload: Value },
    /// A call of a method.
    Call {
        id: Value,
        method: String,
        args: Value,
    },
    /// The answer to a call.
    Answer {
        id: Value,
        result: Result<Value, Failure>,
    },
    /// The withdrawal of a call.
    Cancel { id: Value },
    /// None of these; answered under this id if the form has errors for it.
    Invalid { id: Value },
    /// Not a message of this form.
    Other,
}

impl WireForm {
    /// Parses a message.
    pub fn read(self, message: Value) -> CallMessage {
        match (self, message) {
            (Self::Plain, Value::Object(members)) => plain(members),
            (Self::Plain, _) => CallMessage::Other,
            (Self::JsonRpc, Value::Object(members)) => json_rpc(members),
            (Self::JsonRpc, _) => CallMessage::Invalid { id: Value::Null },
        }
    }

    /// Returns whether a message is one of this form: whether [`read`](Self::read) does not return
    /// [`CallMessage::Other`].
    pub(super) fn knows(self, message: &Value) -> bool {
        let Value::Object(members) = message else {
            return self == Self::JsonRpc;
        };
        let has = |name: &&str| members.contains_key(*name);
        self == Self::JsonRpc
            || members.get("event").is_some_and(Value::is_string)
            || members.get("cancel").is_some_and(is_id)
            || (has(&"id") && ["call", "result", "error"].iter().any(has))
    }

    /// Builds an event.
    pub fn event(self, name: &str, payload: Value) -> Value {
        match self {
            Self::Plain => json!({"event": name, "payload": payload}),
            Self::JsonRpc => request(name, payload),
        }
    }

    /// Builds a call.
    pub fn call(self, id: u64, method: &str, args: Value) -> Value {
        match self {
            Self::Plain => json!({"call": method, "id": id, "args": args}),
            Self::JsonRpc => {
                let mut call = request(method, args);
                call["id"] = id.into();
                call
            }
        }
    }

    /// Builds the withdrawal of a call.
    pub fn cancel(self, id: u64) -> Value {
        match self {
            Self::Plain => json!({"cancel": id}),
            Self::JsonRpc => request(CANCEL, json!({"id": id})),
        }
    }

    /// Builds the answer to a call.
    pub fn answer(self, id: Value, result: Result<Value, Failure>) -> Value {
        let mut answer = match result {
            Ok(result) => json!({"id": id, "result": result}),
            Err(failure) => json!({"id": id, "error": failure}),
        };
        if self == Self::JsonRpc {
            answer["jsonrpc"] = "2.0".into();
        }
        answer
    }
}

/// Builds a request of JSON-RPC, whose parameters are an object or a list, and may be left out.
fn request(method: &str, params: Value) -> Value {
    let mut request = json!({"jsonrpc": "2.0", "method": method});
    match params {
        Value::Null => {}
        Value::Object(_) | Value::Array(_) => request["params"] = params,
        one => request["params"] = json!([one]),
    }
    request
}

fn plain(mut members: Map<String, Value>) -> CallMessage {
    let id = members.remove("id");
    if let Some(Value::String(name)) = members.get_mut("event") {
        let name = std::mem::take(name);
        let payload = members.remove("payload").unwrap_or_default();
        return CallMessage::Event { name, payload };
    }
    if let Some(id) = members.get("cancel").filter(|id| is_id(id)) {
        return CallMessage::Cancel { id: id.clone() };
    }
    let Some(id) = id else {
        return CallMessage::Other;
    };
    match members.remove("call") {
        Some(Value::String(method)) if is_id(&id) => {
            let args = members.remove("args").unwrap_or_default();
            CallMessage::Call { id, method, args }
        }
        Some(_) => CallMessage::Invalid { id: known(id) },
        None if members.contains_key("result") || members.contains_key("error") => {
            answer(id, members)
        }
        None => CallMessage::Other,
    }
}

fn json_rpc(mut members: Map<String, Value>) -> CallMessage {
    let id = members.remove("id");
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        let id = id.map_or(Value::Null, known);
        return CallMessage::Invalid { id };
    }
    let Some(method) = members.remove("method") else {
        // An error without an id reports a message that the client could not read. Two sides that
        // answered it could answer each other without end.
        return match id {
            None if members.contains_key("error") => answer(Value::Null, members),
            None => CallMessage::Invalid { id: Value::Null },
            Some(id) => answer(id, members),
        };
    };
    let params = members.remove("params");
    let structured = matches!(params, None | Some(Value::Object(_) | Value::Array(_)));
    let mut params = params.unwrap_or_default();
    match (method, id) {
        (Value::String(method), None) if structured && method == CANCEL => {
            let id = params.get_mut("id").map(Value::take).unwrap_or_default();
            CallMessage::Cancel { id }
        }
        (Value::String(name), None) if structured => CallMessage::Event {
            name,
            payload: params,
        },
        (Value::String(method), Some(id)) if structured && (is_id(&id) || id.is_null()) => {
            CallMessage::Call {
                id,
                method,
                args: params,
            }
        }
        (_, id) => CallMessage::Invalid {
            id: id.map_or(Value::Null, known),
        },
    }
}

fn answer(id: Value, mut members: Map<String, Value>) -> CallMessage {
    if let Some(result) = members.remove("result") {
        let result = Ok(result);
        return CallMessage::Answer { id, result };
    }
    match members.remove("error") {
        Some(error) => {
            let unreadable = |_| Failure::new(0, "the client's error cannot be read");
            let result = Err(serde_json::from_value(error).unwrap_or_else(unreadable));
            CallMessage::Answer { id, result }
        }
        None => CallMessage::Invalid { id: known(id) },
    }
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::Number(_) => true,
        Value::String(id) => id.len() <= MAX_ID,
        _ => false,
    }
}

/// Returns an id in the form that may be repeated to the client.
fn known(id: Value) -> Value {
    if is_id(&id) { id } else { Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_knows_what_it_reads() {
        let values = [json!(null), json!(7), json!("x"), json!({})];
        let names = [
            "id", "event", "cancel", "call", "result", "error", "jsonrpc", "method",
        ];
        for form in [WireForm::Plain, WireForm::JsonRpc] {
            for members in 0..1_usize << names.len() {
                for value in &values {
                    let chosen = names
                        .iter()
                        .enumerate()
                        .filter(|(at, _)| members >> at & 1 == 1);
                    let message: Value = chosen
                        .map(|(_, name)| ((*name).to_owned(), value.clone()))
                        .collect();
                    let reads = !matches!(form.read(message.clone()), CallMessage::Other);
                    assert_eq!(form.knows(&message), reads, "{message}");
                }
            }
            assert_eq!(form.knows(&json!([])), form == WireForm::JsonRpc);
        }
    }
}
