//! `/mock/ws/data` and `/mock/ws/upper`: how a frame is read.

use crossws::prelude::*;
use crossws::{
    AutoCodec, BoxError, DecodeLimits, Payload, TypedPeer, messages, transform, typed_as,
};
use serde_json::{Value, json};

pub(super) fn data() -> impl Hooks {
    let shows = messages().on_message(|peer: TypedPeer<Value>, payload| async move {
        peer.send(match payload {
            Payload::Json(value) => json!({ "kind": "json", "value": value }),
            Payload::Text(text) => json!({ "kind": "text", "value": &*text }),
            Payload::Binary(bytes) => json!({ "kind": "binary", "length": bytes.len() }),
        })
    });
    // Whatever is JSON is shown as such: as deep as the reader of JSON goes, and as long as a message is.
    let limits = DecodeLimits::new().max_depth(128).max_items(usize::MAX);
    typed_as(AutoCodec, shows).decode_limits(limits)
}

pub(super) fn upper(hooks: impl Hooks) -> impl Hooks {
    transform(hooks, |message| {
        Ok::<_, BoxError>(match message {
            Message::Text(text) => text.to_uppercase().into(),
            Message::Binary(_) => message,
        })
    })
}
