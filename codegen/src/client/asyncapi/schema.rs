//! Schemas as AsyncAPI has them: a superset of JSON Schema's draft 7.

use std::collections::{BTreeMap, BTreeSet};

use crossws_app::description::Description;
use serde_json::{Map, Value, json};

use crate::client::names::{ascii, unique};

/// The names of an app's schemas in a document.
pub(super) struct Schemas<'d> {
    description: &'d Description,
    names: BTreeMap<&'d str, String>,
}

impl<'d> Schemas<'d> {
    pub(super) fn new(description: &'d Description) -> Self {
        let mut taken = BTreeSet::new();
        let names = description.definitions.keys();
        let names = names.map(|name| (name.as_str(), unique(ascii(name), &mut taken)));
        Self {
            description,
            names: names.collect(),
        }
    }

    pub(super) fn definitions(&self, description: &Description) -> Map<String, Value> {
        let definitions = description.definitions.iter();
        let definitions = definitions.filter_map(|(name, schema)| {
            let key = self.names.get(name.as_str())?.clone();
            Some((key, self.whole(schema)))
        });
        definitions.collect()
    }

    /// Returns a schema of its own, which must be an object: `true` and `false` stand only inside of others.
    pub(super) fn whole(&self, schema: &Value) -> Value {
        match self.convert(schema) {
            Value::Bool(true) => json!({}),
            Value::Bool(false) => json!({ "not": {} }),
            whole => whole,
        }
    }

    /// Returns a schema in the terms of draft 7: a list of items is `items`, and nothing may be beside a
    /// reference.
    pub(super) fn convert(&self, schema: &Value) -> Value {
        let Value::Object(members) = schema else {
            return schema.clone();
        };
        let mut converted = Map::new();
        for (key, value) in members {
            match key.as_str() {
                // Data, which may look like a schema.
                "const" | "enum" | "default" | "examples" => {
                    converted.insert(key.clone(), value.clone());
                }
                "$ref" => {}
                "prefixItems" => {
                    converted.insert("items".to_owned(), self.each(value));
                }
                "items" if members.contains_key("prefixItems") => {
                    converted.insert("additionalItems".to_owned(), self.convert(value));
                }
                "properties" | "patternProperties" => {
                    let schemas = value.as_object().into_iter().flatten();
                    let schemas = schemas.map(|(key, value)| (key.clone(), self.convert(value)));
                    converted.insert(key.clone(), Value::Object(schemas.collect()));
                }
                _ if value.is_array() => {
                    converted.insert(key.clone(), self.each(value));
                }
                _ => {
                    converted.insert(key.clone(), self.convert(value));
                }
            }
        }
        let Some(reference) = members.get("$ref").and_then(Value::as_str) else {
            return Value::Object(converted);
        };
        let reference = self.reference(reference);
        if converted.is_empty() {
            return reference;
        }
        let all = converted.entry("allOf").or_insert_with(|| json!([]));
        if let Value::Array(all) = all {
            all.insert(0, reference);
        }
        Value::Object(converted)
    }

    fn each(&self, values: &Value) -> Value {
        let values = values.as_array().into_iter().flatten();
        values.map(|value| self.convert(value)).collect()
    }

    fn reference(&self, reference: &str) -> Value {
        let found = self.description.resolve(reference);
        match found.and_then(|(name, _)| self.names.get(name)) {
            Some(name) => json!({ "$ref": format!("#/components/schemas/{name}") }),
            None => json!(true),
        }
    }
}
