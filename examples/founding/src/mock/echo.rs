//! `/mock/ws/echo`: rules, and hooks for what none of them is for.

use crossws::prelude::*;
use crossws::rules::{self, kind, reply, to};
use crossws::{AutoCodec, Payload, TypedPeer, messages, typed_as};
use serde_json::{Value, json};

pub(super) const LOBBY: &str = "lobby";

pub(super) fn rules() -> impl Hooks {
    rules::rules(fallback())
        .on(kind("ping"), reply(json!({ "type": "pong" })))
        .on(has("echo", "data"), |message: &Value| {
            reply(json!({ "type": "echo", "data": message["data"] }))
        })
        .on(has("announce", "text"), |message: &Value| {
            let announcement = json!({ "type": "announcement", "text": message["text"] });
            to(LOBBY).and_self().send(announcement)
        })
}

/// An object of this type with this member.
fn has(kind: &'static str, member: &'static str) -> impl Fn(&Peer, &Value) -> bool {
    move |_, message| message["type"] == kind && message.get(member).is_some()
}

fn fallback() -> impl Hooks {
    let hears = messages().on_message(|peer: TypedPeer<Value>, payload| async move {
        let data = match payload {
            Payload::Json(value) => value,
            Payload::Text(text) => json!(&*text),
            Payload::Binary(bytes) => json!(String::from_utf8_lossy(&bytes)),
        };
        peer.send(json!({ "type": "fallback", "data": data }))
    });
    typed_as(AutoCodec, hears)
}
