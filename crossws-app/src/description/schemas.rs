//! The schemas of both directions, and how their definitions become one set.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
#[cfg(feature = "schema")]
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::Value;

use super::Description;

/// The generators of both directions. serde may read a type from other JSON than it writes.
#[cfg_attr(not(feature = "schema"), derive(Default))]
pub(crate) struct Schemas {
    /// What the client sends.
    #[cfg(feature = "schema")]
    read: SchemaGenerator,
    /// What the client gets.
    #[cfg(feature = "schema")]
    written: SchemaGenerator,
}

#[cfg(feature = "schema")]
impl Default for Schemas {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12;
        Self {
            read: settings().for_deserialize().into_generator(),
            written: settings().for_serialize().into_generator(),
        }
    }
}

/// A function that returns the schema of a type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SchemaOf(fn(&mut Schemas) -> Value);

impl SchemaOf {
    /// The schema of a type that the server reads.
    #[cfg(feature = "schema")]
    pub(crate) fn read<T: schemars::JsonSchema>() -> Self {
        Self(|schemas| schemas.read.subschema_for::<T>().into())
    }

    /// The schema of a type that the server writes.
    #[cfg(feature = "schema")]
    pub(crate) fn written<T: schemars::JsonSchema>() -> Self {
        Self(|schemas| schemas.written.subschema_for::<T>().into())
    }

    pub(super) fn of(self, schemas: &mut Schemas) -> Value {
        self.0(schemas)
    }
}

type Definitions = BTreeMap<String, Value>;

impl Schemas {
    /// Adds the definitions to a description.
    pub(super) fn finish(self, description: &mut Description) {
        #[cfg(feature = "schema")]
        {
            let Self {
                mut read,
                mut written,
            } = self;
            let read = read.take_definitions(true).into_iter().collect();
            let written = written.take_definitions(true).into_iter().collect();
            merge(read, written, description);
        }
        #[cfg(not(feature = "schema"))]
        merge(Definitions::new(), Definitions::new(), description);
    }
}

/// Merges the definitions of both directions. A type that is read from other JSON than it is written
/// as becomes two: what the client sends gets a name that ends in `Input`.
fn merge(mut read: Definitions, written: Definitions, description: &mut Description) {
    let different = different(&read, &written);
    let mut names = BTreeMap::new();
    for name in different {
        let mut input = format!("{name}Input");
        while read.contains_key(&input) || written.contains_key(&input) {
            input.push('_');
        }
        names.insert(name, input);
    }
    for schema in read.values_mut() {
        rename(schema, &names);
    }
    description.each_schema(|schema, by_client| {
        if by_client {
            rename(schema, &names);
        }
    });
    description.definitions = written;
    for (name, schema) in read {
        let name = names.get(&name).cloned().unwrap_or(name);
        description.definitions.insert(name, schema);
    }
}

/// Returns the names of types that differ between the directions, themselves or in a type that they
/// refer to.
fn different(read: &Definitions, written: &Definitions) -> BTreeSet<String> {
    let both = || {
        read.iter()
            .filter_map(|(name, one)| Some((name, one, written.get(name)?)))
    };
    let mut different: BTreeSet<String> = both()
        .filter(|(_, one, other)| one != other)
        .map(|(name, ..)| name.clone())
        .collect();
    loop {
        let more: Vec<_> = both()
            .filter(|(name, one, _)| !different.contains(*name) && refers(one, &different))
            .map(|(name, ..)| name.clone())
            .collect();
        if more.is_empty() {
            return different;
        }
        different.extend(more);
    }
}

/// Returns whether a schema refers to one of these definitions.
fn refers(schema: &Value, definitions: &BTreeSet<String>) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(key, value)| {
            match value.as_str().filter(|_| key == "$ref").and_then(name_of) {
                Some(name) => definitions.contains(&*name),
                None => refers(value, definitions),
            }
        }),
        Value::Array(items) => items.iter().any(|item| refers(item, definitions)),
        _ => false,
    }
}

fn rename(schema: &mut Value, names: &BTreeMap<String, String>) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                let name = value.as_str().filter(|_| key == "$ref").and_then(name_of);
                match name.and_then(|name| names.get(&*name)) {
                    Some(new) => *value = reference(new).into(),
                    None => rename(value, names),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        _ => {}
    }
}

/// What the references to definitions begin with.
const DEFINITIONS: &str = "#/$defs/";

/// Returns the name of the definition that a reference points to.
pub(super) fn name_of(reference: &str) -> Option<Cow<'_, str>> {
    let name = reference.strip_prefix(DEFINITIONS)?;
    let name = percent_decode_str(name).decode_utf8().ok()?;
    match name.contains('~') {
        // RFC 6901 section 4, in this order.
        true => Some(name.replace("~1", "/").replace("~0", "~").into()),
        false => Some(name),
    }
}

fn reference(name: &str) -> String {
    let name = name.replace('~', "~0").replace('/', "~1");
    format!(
        "{DEFINITIONS}{}",
        utf8_percent_encode(&name, NON_ALPHANUMERIC)
    )
}
