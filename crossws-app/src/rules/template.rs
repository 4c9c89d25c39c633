use std::fmt;

use crossws_core::Peer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

/// JSON with places for values of a message and its peer.
#[derive(Debug, Clone)]
pub(super) enum Template {
    Fixed(Value),
    /// A string that is one place: it becomes the value at that place.
    Placeholder(Placeholder),
    Text(Vec<Piece>),
    List(Vec<Template>),
    Object(Vec<(String, Template)>),
}

#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(String),
    Placeholder(Placeholder),
    /// A place in a text that is JSON: the value is inserted as JSON.
    Json(Placeholder),
    /// A place in a string of a text that is JSON: the value is inserted as text, escaped.
    JsonString(Placeholder),
}

/// `{{message}}`, `{{message.a.b}}` or `{{peer.id}}`.
#[derive(Debug, Clone)]
pub(super) enum Placeholder {
    Message(Vec<String>),
    PeerId,
}

impl Placeholder {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.trim().split('.');
        let (root, rest) = (parts.next(), parts.map(str::to_owned).collect::<Vec<_>>());
        match (root, &rest[..]) {
            (Some("message"), _) => Ok(Self::Message(rest)),
            (Some("peer"), [id]) if id == "id" => Ok(Self::PeerId),
            _ => Err(format!(
                "`{{{{{text}}}}}` is neither `{{{{message}}}}`, with a path after it or without, nor `{{{{peer.id}}}}`"
            )),
        }
    }

    /// Returns the value as text: empty for null.
    fn text(&self, peer: &Peer, message: &Value) -> String {
        match self.value(peer, message) {
            Value::Null => String::new(),
            Value::String(text) => text,
            value => value.to_string(),
        }
    }

    fn value(&self, peer: &Peer, message: &Value) -> Value {
        match self {
            Self::PeerId => peer.id().to_string().into(),
            Self::Message(path) => {
                let mut value = message;
                for name in path {
                    let next = match value {
                        Value::Array(list) => name.parse().ok().and_then(|at: usize| list.get(at)),
                        _ => value.get(name),
                    };
                    match next {
                        Some(next) => value = next,
                        None => return Value::Null,
                    }
                }
                value.clone()
            }
        }
    }
}

/// Returns the pieces of a text that is JSON with values in its places: then the values are written
/// as JSON, and a client's value cannot end a string or add a member. Returns `None` for any other
/// text.
fn as_json(pieces: &[Piece]) -> Option<Vec<Piece>> {
    let mut sample = String::new();
    let mut inside = false;
    let mut json = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                let mut escaped = false;
                for c in text.chars() {
                    match c {
                        _ if escaped => escaped = false,
                        '\\' if inside => escaped = true,
                        '"' => inside = !inside,
                        _ => {}
                    }
                }
                sample.push_str(text);
                json.push(piece.clone());
            }
            Piece::Placeholder(place) | Piece::Json(place) | Piece::JsonString(place) => {
                let place = place.clone();
                sample.push_str(if inside { "x" } else { "null" });
                json.push(match inside {
                    true => Piece::JsonString(place),
                    false => Piece::Json(place),
                });
            }
        }
    }
    // A number or a name alone is treated as plain text.
    let composed = sample.trim_start().starts_with(['{', '[', '"']);
    let is_json = composed && serde_json::from_str::<de::IgnoredAny>(&sample).is_ok();
    is_json.then_some(json)
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerId => f.write_str("{{peer.id}}"),
            Self::Message(path) => {
                f.write_str("{{message")?;
                path.iter().try_for_each(|name| write!(f, ".{name}"))?;
                f.write_str("}}")
            }
        }
    }
}

impl Template {
    /// Parses a string with its places.
    fn text(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((place, after)) = behind.split_once("}}") else {
                return Err(format!("`{{{{{behind}` has no `}}}}`"));
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Placeholder(Placeholder::parse(place)?));
            rest = after;
        }
        if pieces.is_empty() {
            return Ok(Self::Fixed(text.into()));
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        match &pieces[..] {
            [Piece::Placeholder(place)] => Ok(Self::Placeholder(place.clone())),
            _ => Ok(Self::Text(as_json(&pieces).unwrap_or(pieces))),
        }
    }

    /// Fills in the places.
    pub(super) fn value(&self, peer: &Peer, message: &Value) -> Value {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::Placeholder(place) => place.value(peer, message),
            Self::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(piece) => text.push_str(piece),
                        Piece::Placeholder(place) => text.push_str(&place.text(peer, message)),
                        Piece::Json(place) => {
                            text.push_str(&place.value(peer, message).to_string());
                        }
                        Piece::JsonString(place) => {
                            let string = Value::String(place.text(peer, message)).to_string();
                            text.push_str(&string[1..string.len() - 1]);
                        }
                    }
                }
                text.into()
            }
            Self::List(list) => list.iter().map(|it| it.value(peer, message)).collect(),
            Self::Object(members) => {
                let member = |(name, it): &(String, Self)| (name.clone(), it.value(peer, message));
                Value::Object(members.iter().map(member).collect())
            }
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::Placeholder(place) => place.to_string().into(),
            Self::Text(pieces) => {
                let piece = |piece: &Piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Placeholder(place) | Piece::Json(place) | Piece::JsonString(place) => {
                        place.to_string()
                    }
                };
                pieces.iter().map(piece).collect::<String>().into()
            }
            Self::List(list) => list.iter().map(Self::to_json).collect(),
            Self::Object(members) => {
                let member = |(name, it): &(String, Self)| (name.clone(), it.to_json());
                Value::Object(members.iter().map(member).collect::<Map<_, _>>())
            }
        }
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// Implemented by hand, because an error in a string has the string's line only while that is read.
impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Json;

        impl<'de> Visitor<'de> for Json {
            type Value = Template;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Template, E> {
                Ok(Template::Fixed(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Template, E> {
                Ok(Template::Fixed(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Template, E> {
                Ok(Template::Fixed(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Template, E> {
                let number = Number::from_f64(value).map_or(Value::Null, Value::Number);
                Ok(Template::Fixed(number))
            }

            fn visit_unit<E>(self) -> Result<Template, E> {
                Ok(Template::Fixed(Value::Null))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Template, E> {
                Template::text(text).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Template, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = seq.next_element()? {
                    list.push(element);
                }
                Ok(Template::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Template, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Template::Object(members))
            }
        }

        deserializer.deserialize_any(Json)
    }
}
