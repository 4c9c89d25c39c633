use crossws_app::{
    AutoCodec, CborCodec, Decode, DecodeLimits, Encode, JsonCodec, MessagePackCodec, Payload,
};
use crossws_core::Message;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const LIMITS: DecodeLimits = DecodeLimits::new().max_depth(16).max_items(256);

/// A type that contains every kind of value and nests as deep as its message.
#[derive(Serialize, Deserialize)]
enum Tree {
    Leaf,
    Number(i16),
    Pair(Box<Tree>, Option<Box<Tree>>),
    Named {
        list: Vec<Tree>,
        #[serde(default)]
        text: String,
    },
}

/// Decodes the bytes in each format. A decoded message is within the limits, and can be written and
/// read again.
pub fn messages(data: &[u8]) {
    let binary = Message::from(data);
    both(&MessagePackCodec, &binary);
    both(&CborCodec, &binary);
    both(&JsonCodec, &binary);
    if let Ok(text) = std::str::from_utf8(data) {
        let text = Message::from(text);
        both(&JsonCodec, &text);
        if let Ok(Payload::Json(value)) = AutoCodec.decode(&text, &LIMITS) {
            assert_eq!(JsonCodec.decode(&text, &LIMITS).ok(), Some(value));
        }
    }
}

fn both<C>(codec: &C, message: &Message)
where
    C: Decode<Value> + Encode<Value> + Decode<Tree> + Encode<Tree>,
{
    if let Ok(value) = Decode::<Value>::decode(codec, message, &LIMITS) {
        let mut items = 0;
        measure(&value, 0, &mut items);
        assert!(items <= LIMITS.max_items);
        again(codec, &value);
    }
    if let Ok(tree) = Decode::<Tree>::decode(codec, message, &LIMITS) {
        again(codec, &tree);
    }
}

fn measure(value: &Value, depth: usize, items: &mut usize) {
    let inner: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => return,
    };
    assert!(depth < LIMITS.max_depth);
    *items += inner.len();
    inner
        .into_iter()
        .for_each(|value| measure(value, depth + 1, items));
}

/// Formats count levels differently: null may become an empty list.
fn again<C, T>(codec: &C, value: &T)
where
    C: Decode<T> + Encode<T>,
{
    let Ok(message) = codec.encode(value) else {
        return;
    };
    let more = LIMITS.max_depth(64).max_items(512);
    assert!(codec.decode(&message, &more).is_ok(), "{message:?}");
}
