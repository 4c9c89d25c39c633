//! A query as a type.

use std::borrow::Cow;

use crossws_core::Rejection;
use crossws_core::http::StatusCode;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::request::fields::error::{FieldError, FieldErrorKind};
use crate::request::fields::value::Field;
use crate::request::fields::{Fields, Positions};

/// Reads a query in the form in which it was sent, as a struct or a map.
pub(crate) fn read<'de, T: Deserialize<'de>>(query: &'de str) -> Result<T, QueryError> {
    let mut pairs = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let name = decode(name).ok_or_else(|| QueryError::not_utf8(name))?;
        let value = decode(value).ok_or_else(|| QueryError::not_utf8(&name))?;
        pairs.push((name, value));
    }
    // Stable: the values of one name keep their order.
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut fields: Vec<Field<'de>> = Vec::new();
    for (name, value) in pairs {
        match fields.last_mut() {
            Some(last) if last.name() == name => last.push(value),
            _ => fields.push(Field::new(name, value)),
        }
    }
    let positions = Positions::Ignored;
    T::deserialize(Fields { fields, positions }).map_err(QueryError)
}

/// Returns the first value of a name, decoded. A value that is not UTF-8 is skipped.
pub(crate) fn first<'q>(query: &'q str, wanted: &str) -> Option<Cow<'q, str>> {
    query.split('&').find_map(|piece| {
        let (name, value) = piece.split_once('=')?;
        (decode(name)? == wanted).then(|| decode(value))?
    })
}

/// Decodes as forms are encoded: `+` is a space. Returns `None` if the result is not UTF-8.
fn decode(part: &str) -> Option<Cow<'_, str>> {
    if !part.contains(['%', '+']) {
        return Some(Cow::Borrowed(part));
    }
    let part = part.replace('+', " ");
    let decoded = percent_decode_str(&part).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}

/// A query that does not convert to the requested type. As a rejection it is a 400 that names the
/// field.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// #[derive(Debug, serde::Deserialize)]
/// struct Search {
///     page: u32,
/// }
///
/// # let parts = http::Request::get("/?page=last").body(()).unwrap().into_parts().0;
/// # let request = UpgradeRequest::new(parts);
/// let search: Result<Search, QueryError> = request.query_as();
/// assert_eq!(search.unwrap_err().field(), Some("page"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the query: {0}")]
pub struct QueryError(FieldError);

impl QueryError {
    fn not_utf8(name: &str) -> Self {
        Self(FieldError::named(name, FieldErrorKind::NotUtf8))
    }

    /// Returns the name of the wrong field; `None` if no single field is wrong.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> &FieldErrorKind {
        &self.0.kind
    }
}

impl From<QueryError> for Rejection {
    fn from(error: QueryError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string()).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, de};

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Newest,
        Oldest,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Search<'a> {
        q: String,
        page: Option<u32>,
        #[serde(default)]
        tag: Vec<String>,
        order: Option<Order>,
        #[serde(borrow, default)]
        raw: &'a str,
    }

    fn text<'de, T: Deserialize<'de> + std::fmt::Debug>(query: &'de str) -> String {
        read::<T>(query).unwrap_err().to_string()
    }

    #[test]
    fn a_query_is_a_struct() {
        let search: Search<'_> =
            read("q=caf%C3%A9+au%20lait&page=2&tag=a&raw=r&tag=b&order=oldest&&more").unwrap();
        assert_eq!(search.q, "café au lait");
        assert_eq!(search.page, Some(2));
        assert_eq!(search.tag, ["a", "b"]);
        assert_eq!(search.order, Some(Order::Oldest));
        assert_eq!(search.raw, "r");
    }

    #[test]
    fn a_query_is_a_map() {
        let map: BTreeMap<String, Vec<String>> = read("a=1&b=2&a=3&c").unwrap();
        assert_eq!(map["a"], ["1", "3"]);
        assert_eq!(map["b"], ["2"]);
        assert_eq!(map["c"], [""]);
        assert_eq!(read::<Option<BTreeMap<String, String>>>("").unwrap(), None);
    }

    #[test]
    fn flattened_fields_are_texts_and_lists() {
        #[derive(Debug, Deserialize)]
        struct Flat {
            a: u8,
            #[serde(flatten)]
            others: BTreeMap<String, serde_json::Value>,
        }
        let flat: Flat = read("a=1&b=2&c=3&c=4").unwrap();
        assert_eq!(flat.a, 1);
        assert_eq!(flat.others["b"], "2");
        assert_eq!(flat.others["c"], serde_json::json!(["3", "4"]));
    }

    #[test]
    fn errors_name_the_field() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "never read")]
        struct Strict {
            page: u32,
        }
        for (query, wrong) in [
            ("", "the query: `page` is missing"),
            (
                "page=x",
                "the query: `page` is not valid: expected a whole number from 0 on, of 32 bits",
            ),
            (
                "page=-1",
                "the query: `page` is not valid: expected a whole number from 0 on, of 32 bits",
            ),
            (
                "page=1&page=1",
                "the query: `page` has several values where one is wanted",
            ),
            ("page=1&sort=x", "the query: `sort` is unknown"),
            (
                "page=%FF",
                "the query: `page` is not UTF-8 when it is percent-decoded",
            ),
            ("a%0Ab=1&page=1", "the query: `a\\nb` is unknown"),
        ] {
            assert_eq!(text::<Strict>(query), wrong, "{query}");
        }
        assert_eq!(
            text::<Search<'_>>("q=&order=up"),
            "the query: `order` is not valid: expected one of newest, oldest"
        );
        assert_eq!(
            text::<u32>("1"),
            "the query: only a struct or a map can be read, by the names of its fields"
        );
        let error = read::<Strict>("page=x").unwrap_err();
        assert_eq!(error.field(), Some("page"));
        assert_eq!(Rejection::from(error).status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn errors_of_variants_say_what_a_text_cannot_be() {
        #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Shape {
            Plain,
            One(u8),
            Two(u8, u8),
            Named { _a: u8 },
        }
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "never read")]
        struct Draw {
            shape: Shape,
        }
        for (query, wrong) in [
            ("shape=one", "a text cannot be a variant with a value"),
            ("shape=two", "a text cannot be a variant with values"),
            ("shape=named", "a text cannot be a variant with fields"),
            ("shape=secret", "expected one of plain, one, two, named"),
        ] {
            let wrong = format!("the query: `shape` is not valid: {wrong}");
            assert_eq!(text::<Draw>(query), wrong, "{query}");
        }
        let key = "the query: expected one of plain, one, two, named";
        assert_eq!(text::<BTreeMap<Shape, u8>>("secret=1"), key);
        let map: BTreeMap<Shape, u8> = read("plain=1").unwrap();
        assert_eq!(map, BTreeMap::from([(Shape::Plain, 1)]));
    }

    #[test]
    fn the_own_text_of_an_unknown_variant_is_not_shown() {
        /// The name of a variant, whose error has what the client sent.
        struct Loud;
        impl<'de> Deserialize<'de> for Loud {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let sent = String::deserialize(deserializer)?;
                Err(de::Error::custom(format!("no variant {sent}")))
            }
        }
        #[derive(Debug)]
        struct Order;
        impl<'de> Deserialize<'de> for Order {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_enum("Order", &["newest", "oldest"], Self)
            }
        }
        impl<'de> de::Visitor<'de> for Order {
            type Value = Self;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an order")
            }

            fn visit_enum<A: de::EnumAccess<'de>>(self, data: A) -> Result<Self, A::Error> {
                data.variant::<Loud>().map(|_| self)
            }
        }
        assert_eq!(
            text::<BTreeMap<String, Order>>("order=secret"),
            "the query: `order` is not valid: expected one of newest, oldest"
        );
    }

    #[test]
    fn a_query_of_many_names_is_read_in_one_pass() {
        let query: String = (0..4_000).map(|n| format!("{:x}&", n % 7)).collect();
        let map: BTreeMap<String, Vec<String>> = read(&query).unwrap();
        assert_eq!(map.values().map(Vec::len).sum::<usize>(), 4_000);
    }

    #[test]
    fn the_first_value_of_a_name_is_found() {
        assert_eq!(first("a=1&b=x%20y&b=2", "b").as_deref(), Some("x y"));
        assert_eq!(first("%62=1", "b").as_deref(), Some("1"));
        assert_eq!(first("a=1", "b"), None);
        assert_eq!(first("b", "b"), None);
    }
}
