use crossws_app::{Decode, DecodeLimits, Encode, JsonCodec};
use crossws_core::Message;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// A type with something of everything in serde's data model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    text: String,
    number: i64,
    fraction: f64,
    flag: bool,
    maybe: Option<u32>,
    list: Vec<Kind>,
    map: BTreeMap<String, (u8, char)>,
    unit: (),
    boxed: Box<Kind>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    New(u16),
    Pair(i8, String),
    Named { of: Option<Box<Kind>> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    A { x: u32 },
    B { y: Vec<Option<String>> },
    C(Flat),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, Vec<bool>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i32),
    Text(String),
    List(Vec<Untagged>),
}

fn everything() -> Everything {
    let inner = Kind::Named {
        of: Some(Box::new(Kind::New(7))),
    };
    Everything {
        text: "grüße\u{0}\"".into(),
        number: i64::MIN,
        fraction: 0.1,
        flag: true,
        maybe: None,
        list: vec![Kind::Unit, Kind::Pair(-1, String::new()), inner.clone()],
        map: [("k".into(), (255, '🦀'))].into(),
        unit: (),
        boxed: Box::new(inner),
    }
}

/// What serde makes of a type is the same through the limits as without them.
fn comes_back<C, T>(codec: &C, value: &T)
where
    C: Encode<T> + Decode<T>,
    T: PartialEq + Debug,
{
    let message = codec.encode(value).unwrap();
    let back = codec.decode(&message, &DecodeLimits::new()).unwrap();
    assert_eq!(back, *value, "{message:?}");
}

fn all_come_back<C>(codec: C)
where
    C: Encode<Everything> + Decode<Everything> + Encode<Tagged> + Decode<Tagged>,
    C: Encode<Untagged> + Decode<Untagged> + Encode<Value> + Decode<Value>,
{
    comes_back(&codec, &everything());
    comes_back(&codec, &Tagged::A { x: u32::MAX });
    comes_back(
        &codec,
        &Tagged::B {
            y: vec![None, Some("b".into())],
        },
    );
    let rest = [("more".to_owned(), vec![true, false])].into();
    comes_back(&codec, &Tagged::C(Flat { id: 1, rest }));
    let list = Untagged::List(vec![Untagged::Number(-1), Untagged::Text("x".into())]);
    comes_back(
        &codec,
        &Untagged::List(vec![list, Untagged::List(Vec::new())]),
    );
    comes_back(&codec, &json!({"a": [1, -1, 1.5, true, "x", {"b": {}}]}));
}

#[test]
fn every_shape_of_serde_comes_back_from_json() {
    all_come_back(JsonCodec);
}

#[cfg(feature = "message-pack")]
#[test]
fn every_shape_of_serde_comes_back_from_message_pack() {
    all_come_back(crossws_app::MessagePackCodec);
}

#[cfg(feature = "cbor")]
#[test]
fn every_shape_of_serde_comes_back_from_cbor() {
    all_come_back(crossws_app::CborCodec);
}

#[cfg(feature = "cbor")]
#[test]
fn errors_of_cbor_read_as_sentences() {
    fn error<T: DeserializeOwned + Debug>(bytes: &[u8]) -> String {
        let read: Result<T, _> = crossws_app::CborCodec.decode(&bytes.into(), &DecodeLimits::new());
        read.unwrap_err().to_string()
    }
    let start = "the payload cannot be decoded: ";
    assert_eq!(
        error::<u8>(b"\x20"),
        format!("{start}u8 is expected, and what begins with the byte 0x20 is none")
    );
    assert_eq!(
        error::<String>(b"\x63a"),
        format!("{start}the payload ends before the end of str")
    );
    assert_eq!(
        error::<std::num::NonZeroU8>(b"\0"),
        format!("{start}invalid value: integer `0`, expected a nonzero u8")
    );
}

#[test]
fn json_is_read_from_binary_messages_too() {
    let message = Message::from(br#"{"x": [1, 2]}"#);
    let value: Value = JsonCodec.decode(&message, &DecodeLimits::new()).unwrap();
    assert_eq!(value, json!({"x": [1, 2]}));
    let not_utf8 = Message::from(b"\"\xff\"");
    let text: Result<String, _> = JsonCodec.decode(&not_utf8, &DecodeLimits::new());
    text.unwrap_err();
}

fn follows<T: DeserializeOwned + Debug>(codec: impl Decode<T>, message: Message) {
    codec.decode(&message, &DecodeLimits::new()).unwrap_err();
}

#[test]
fn nothing_may_follow_the_value() {
    follows::<u8>(JsonCodec, "1 2".into());
    #[cfg(feature = "message-pack")]
    follows::<u8>(crossws_app::MessagePackCodec, vec![1, 2].into());
    #[cfg(feature = "cbor")]
    follows::<u8>(crossws_app::CborCodec, vec![1, 2].into());
}

proptest! {
    /// The limits do not change the result for input within them.
    #[test]
    fn json_within_the_limits_is_read_as_serde_json_reads_it(text in "[\\[\\]{}:,\"a1.e\\- tnul]{0,40}") {
        let plain: Result<Value, _> = serde_json::from_str(&text);
        let ours: Result<Value, _> = JsonCodec.decode(&text.as_str().into(), &DecodeLimits::new());
        prop_assert_eq!(plain.ok(), ours.ok());
    }
}
