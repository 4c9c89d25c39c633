//! Named text values as a type: the common part of a path's parameters and a query's pairs.

pub(crate) mod error;
pub(crate) mod value;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::request::fields::error::FieldError;
use crate::request::fields::value::{Field, Name, Value};

/// The shapes that the values may be read as, besides a map or a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Positions {
    /// By position too: as a tuple, or the only value as it is.
    Matter,
    /// By name only.
    Ignored,
}

/// Deserializes a struct, a map, or what else `positions` allows.
pub(crate) struct Fields<'de> {
    pub(crate) fields: Vec<Field<'de>>,
    pub(crate) positions: Positions,
}

impl<'de> Fields<'de> {
    /// Deserializes the only value.
    fn single<T>(
        self,
        deserialize: impl FnOnce(Value<'de>) -> Result<T, FieldError>,
    ) -> Result<T, FieldError> {
        if self.positions == Positions::Ignored {
            return Err(FieldError::unnamed());
        }
        let count = self.fields.len();
        match (self.fields.into_iter().next(), count) {
            (Some(field), 1) => field.read(deserialize),
            _ => Err(FieldError::count(1, count)),
        }
    }

    fn entries(self) -> Entries<'de> {
        Entries {
            fields: self.fields.into_iter(),
            value: None,
        }
    }
}

macro_rules! from_single {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
            self.single(|value| value.$method(visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for Fields<'de> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_map(self.entries())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.positions {
            Positions::Matter => visitor.visit_seq(self.entries()),
            Positions::Ignored => Err(FieldError::unnamed()),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        let count = self.fields.len();
        if self.positions == Positions::Matter && count != len {
            return Err(FieldError::count(len, count));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        if self.fields.is_empty() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        self.single(|value| value.deserialize_enum(name, variants, visitor))
    }

    from_single! {
        deserialize_bool deserialize_char deserialize_str deserialize_string
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_bytes deserialize_byte_buf
    }

    forward_to_deserialize_any! { struct identifier ignored_any }
}

/// The fields by name, or in order.
struct Entries<'de> {
    fields: std::vec::IntoIter<Field<'de>>,
    value: Option<Field<'de>>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = FieldError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, FieldError> {
        let Some(field) = self.fields.next() else {
            return Ok(None);
        };
        let name = Name(field.name.clone());
        self.value = Some(field);
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, FieldError> {
        let Some(field) = self.value.take() else {
            return Err(FieldError::shape("a value was read before its name"));
        };
        field.read(|value| seed.deserialize(value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

impl<'de> SeqAccess<'de> for Entries<'de> {
    type Error = FieldError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, FieldError> {
        let field = self.fields.next();
        let element = field.map(|field| field.read(|value| seed.deserialize(value)));
        element.transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}
