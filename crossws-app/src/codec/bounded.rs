//! A deserializer around any other. It counts what that yields.

use std::cell::Cell;
use std::fmt;

use crossws_core::{BoxError, DecodeError};
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::codec::limits::{DecodeLimits, LimitExceeded};

impl DecodeLimits {
    /// Deserializes a value within these limits: for codecs of serde's formats.
    ///
    /// # Errors
    /// The format's error, or [`LimitExceeded`].
    pub fn deserialize<'de, T, D>(&self, deserializer: D) -> Result<T, DecodeError>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
        D::Error: Into<BoxError>,
    {
        let budget = Budget {
            limits: *self,
            depth: Cell::new(self.max_depth),
            items: Cell::new(self.max_items),
            exceeded: Cell::new(None),
        };
        T::deserialize(budget.bound(deserializer)).map_err(|error| match budget.exceeded.get() {
            Some(exceeded) => DecodeError::new(exceeded),
            None => DecodeError::new(error),
        })
    }
}

/// The unused part of the limits.
struct Budget {
    limits: DecodeLimits,
    depth: Cell<usize>,
    items: Cell<usize>,
    exceeded: Cell<Option<LimitExceeded>>,
}

impl Budget {
    /// Goes one level down for as long as the guard lives.
    #[inline]
    fn enter<E: Error>(&self) -> Result<Level<'_>, E> {
        match self.depth.get().checked_sub(1) {
            Some(left) => {
                self.depth.set(left);
                Ok(Level(&self.depth))
            }
            None => Err(self.exceed(LimitExceeded::Depth(self.limits.max_depth))),
        }
    }

    #[inline]
    fn item<E: Error>(&self) -> Result<(), E> {
        match self.items.get().checked_sub(1) {
            Some(left) => {
                self.items.set(left);
                Ok(())
            }
            None => Err(self.exceed(LimitExceeded::Items(self.limits.max_items))),
        }
    }

    #[inline]
    fn bound<T>(&self, inner: T) -> Bounded<'_, T> {
        let budget = self;
        Bounded { inner, budget }
    }

    #[cold]
    fn exceed<E: Error>(&self, exceeded: LimitExceeded) -> E {
        self.exceeded.set(Some(exceeded));
        E::custom(exceeded)
    }
}

struct Level<'b>(&'b Cell<usize>);

impl Drop for Level<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Wraps any of serde's deserialization traits, within a budget.
struct Bounded<'b, T> {
    inner: T,
    budget: &'b Budget,
}

macro_rules! forward_deserialize {
    ($($method:ident($($name:ident: $type:ty),*))*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($name,)* self.budget.bound(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    forward_deserialize! {
        deserialize_any() deserialize_bool()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf() deserialize_option() deserialize_unit()
        deserialize_seq() deserialize_map() deserialize_identifier() deserialize_ignored_any()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! forward_visit {
    ($($method:ident($type:ty))*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

macro_rules! nested_visit {
    ($($method:ident<$access:ident: $trait:path>)*) => {$(
        #[inline]
        fn $method<A: $trait>(self, access: A) -> Result<V::Value, A::Error> {
            let _level = self.budget.enter()?;
            self.inner.$method(self.budget.bound(access))
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    forward_visit! {
        visit_bool(bool)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_f64(f64) visit_char(char)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    nested_visit! {
        visit_some<D: Deserializer<'de>>
        visit_seq<A: SeqAccess<'de>>
        visit_map<A: MapAccess<'de>>
        visit_enum<A: EnumAccess<'de>>
    }

    /// A newtype adds no level: it reads as its field.
    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(self.budget.bound(inner))
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(self.budget.bound(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error>
    where
        T: DeserializeSeed<'de>,
    {
        let element = self.inner.next_element_seed(self.budget.bound(seed))?;
        if element.is_some() {
            self.budget.item()?;
        }
        Ok(element)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.inner.size_hint()?.min(self.budget.items.get()))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error>
    where
        K: DeserializeSeed<'de>,
    {
        let key = self.inner.next_key_seed(self.budget.bound(seed))?;
        if key.is_some() {
            self.budget.item()?;
        }
        Ok(key)
    }

    #[inline]
    fn next_value_seed<T>(&mut self, seed: T) -> Result<T::Value, A::Error>
    where
        T: DeserializeSeed<'de>,
    {
        self.inner.next_value_seed(self.budget.bound(seed))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.inner.size_hint()?.min(self.budget.items.get()))
    }
}

impl<'b, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    #[inline]
    fn variant_seed<T>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error>
    where
        T: DeserializeSeed<'de>,
    {
        let (value, variant) = self.inner.variant_seed(self.budget.bound(seed))?;
        Ok((value, self.budget.bound(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<T>(self, seed: T) -> Result<T::Value, A::Error>
    where
        T: DeserializeSeed<'de>,
    {
        self.inner.newtype_variant_seed(self.budget.bound(seed))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, self.budget.bound(visitor))
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner
            .struct_variant(fields, self.budget.bound(visitor))
    }
}
