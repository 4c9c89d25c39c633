use std::borrow::Cow;

use serde::de::value::SeqDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::request::fields::error::{FieldError, FieldErrorKind};

/// A name with its values, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field<'de> {
    pub(super) name: Cow<'de, str>,
    pub(super) first: Cow<'de, str>,
    pub(super) others: Vec<Cow<'de, str>>,
}

impl<'de> Field<'de> {
    pub(crate) fn new(name: Cow<'de, str>, value: Cow<'de, str>) -> Self {
        Self {
            name,
            first: value,
            others: Vec::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn push(&mut self, value: Cow<'de, str>) {
        self.others.push(value);
    }

    /// Reads the values. An error gets the field's name.
    pub(super) fn read<T>(
        self,
        read: impl FnOnce(Value<'de>) -> Result<T, FieldError>,
    ) -> Result<T, FieldError> {
        let name = self.name.clone();
        read(Value(self)).map_err(|error| error.of(&name))
    }
}

/// The name of a field, as a map's key.
pub(super) struct Name<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visit(self.0, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        let value = self.0;
        visitor.visit_enum(Variant { value, variants })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The values of a field: one, or a list.
pub(super) struct Value<'de>(Field<'de>);

impl<'de> Value<'de> {
    /// Returns the only value.
    fn one(self) -> Result<Cow<'de, str>, FieldError> {
        if self.0.others.is_empty() {
            Ok(self.0.first)
        } else {
            Err(FieldError::named(&self.0.name, FieldErrorKind::Duplicate))
        }
    }

    fn nested<T>(self, what: &str) -> Result<T, FieldError> {
        let why = format!("a text cannot be read as {what}");
        Err(FieldError::named(&self.0.name, FieldErrorKind::Shape(why)))
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $expected:literal)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
            let value = self.one()?;
            match value.parse() {
                Ok(parsed) => visitor.$visit(parsed),
                Err(_) => Err(de::Error::custom(concat!("expected ", $expected))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = FieldError;

    parsed! {
        deserialize_bool visit_bool "`true` or `false`"
        deserialize_char visit_char "one character"
        deserialize_i8 visit_i8 "a whole number from -128 to 127"
        deserialize_i16 visit_i16 "a whole number from -32768 to 32767"
        deserialize_i32 visit_i32 "a whole number of 32 bits"
        deserialize_i64 visit_i64 "a whole number of 64 bits"
        deserialize_i128 visit_i128 "a whole number of 128 bits"
        deserialize_u8 visit_u8 "a whole number from 0 to 255"
        deserialize_u16 visit_u16 "a whole number from 0 to 65535"
        deserialize_u32 visit_u32 "a whole number from 0 on, of 32 bits"
        deserialize_u64 visit_u64 "a whole number from 0 on, of 64 bits"
        deserialize_u128 visit_u128 "a whole number from 0 on, of 128 bits"
        deserialize_f32 visit_f32 "a number"
        deserialize_f64 visit_f64 "a number"
    }

    /// For self-describing types: a text, or a list of texts.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        if self.0.others.is_empty() {
            visit(self.0.first, visitor)
        } else {
            self.deserialize_seq(visitor)
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visit(self.one()?, visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.one()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            Cow::Owned(text) => visitor.visit_byte_buf(text.into_bytes()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        let Field {
            name,
            first,
            others,
        } = self.0;
        let values = std::iter::once(first).chain(others);
        let values = values.map(|value| Value(Field::new(name.clone(), value)));
        visitor.visit_seq(SeqDeserializer::new(values))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        let count = 1 + self.0.others.len();
        if count == len {
            self.deserialize_seq(visitor)
        } else {
            Err(FieldError::count(len, count))
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        let value = self.one()?;
        visitor.visit_enum(Variant { value, variants })
    }

    fn deserialize_map<V: Visitor<'de>>(self, _: V) -> Result<V::Value, FieldError> {
        self.nested("a map")
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, FieldError> {
        self.nested(&format!("the struct `{name}`"))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { unit unit_struct identifier }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.deserialize_bytes(visitor)
    }
}

impl<'de> IntoDeserializer<'de, FieldError> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A variant without fields, by its name.
struct Variant<'de> {
    value: Cow<'de, str>,
    variants: &'static [&'static str],
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = FieldError;
    type Variant = Unit;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Unit), FieldError> {
        match seed.deserialize(Name(self.value)) {
            Ok(variant) => Ok((variant, Unit)),
            // The type's own text may show what the client sent.
            Err(_) => {
                let known = self.variants.join(", ");
                Err(de::Error::custom(format!("expected one of {known}")))
            }
        }
    }
}

struct Unit;

impl<'de> VariantAccess<'de> for Unit {
    type Error = FieldError;

    fn unit_variant(self) -> Result<(), FieldError> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _: S) -> Result<S::Value, FieldError> {
        Err(FieldError::shape("a text cannot be a variant with a value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, FieldError> {
        Err(FieldError::shape("a text cannot be a variant with values"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, FieldError> {
        Err(FieldError::shape("a text cannot be a variant with fields"))
    }
}

fn visit<'de, V: Visitor<'de>>(text: Cow<'de, str>, visitor: V) -> Result<V::Value, FieldError> {
    match text {
        Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
        Cow::Owned(text) => visitor.visit_string(text),
    }
}
