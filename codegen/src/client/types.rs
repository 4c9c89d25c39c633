//! Types of TypeScript from schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crossws_app::description::Description;
use serde_json::{Map, Value};

use super::names::{self, is_identifier};
use super::text::{comment, literal};

/// How deep a type is searched for a property that must be there.
const MOST_NESTED: usize = 16;

/// The types of an app.
pub(super) struct Types<'d> {
    description: &'d Description,
    names: BTreeMap<&'d str, String>,
}

/// A type, with what binds its parts.
struct Type {
    text: String,
    kind: Kind,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Atom,
    Intersection,
    Union,
}

impl Type {
    fn atom(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            kind: Kind::Atom,
        }
    }

    fn unknown() -> Self {
        Self::atom("unknown")
    }

    /// Returns the text as a part of something that binds more closely.
    fn in_parentheses(self) -> String {
        match self.kind {
            Kind::Atom => self.text,
            _ => format!("({})", self.text),
        }
    }
}

/// The longest object in one line.
const SHORT: usize = 80;

/// The longest array of a known length that is written as a tuple.
const LONGEST_TUPLE: u64 = 16;

impl<'d> Types<'d> {
    pub(super) fn new(description: &'d Description) -> Self {
        Self {
            description,
            names: names::of_types(description),
        }
    }

    /// Returns the declarations of all types.
    pub(super) fn declarations(&self) -> String {
        let mut code = String::new();
        for (definition, name) in &self.names {
            let schema = &self.description.definitions[*definition];
            code.push_str(&comment(&doc(schema), ""));
            let body = match self.is_circular(definition) {
                true => "unknown".to_owned(),
                false => self.of(schema, ""),
            };
            let space = if body.starts_with('\n') { "" } else { " " };
            let _ = write!(code, "export type {name} ={space}{body};\n\n");
        }
        code
    }

    /// Returns whether a type refers to itself with neither an object nor a list between, which compilers refuse.
    fn is_circular(&self, definition: &str) -> bool {
        let mut left = Vec::from_iter(self.description.definitions.get(definition));
        let mut seen = BTreeSet::new();
        while let Some(schema) = left.pop() {
            for key in ["oneOf", "anyOf", "allOf"] {
                let variants = schema.get(key).and_then(Value::as_array);
                left.extend(variants.into_iter().flatten());
            }
            let reference = schema.get("$ref").and_then(Value::as_str);
            if let Some((name, found)) = reference.and_then(|name| self.description.resolve(name)) {
                if name == definition {
                    return true;
                }
                if seen.insert(name) {
                    left.push(found);
                }
            }
        }
        false
    }

    /// Returns the type of a schema. Lines after the first have this indentation.
    pub(super) fn of(&self, schema: &Value, indent: &str) -> String {
        self.read(schema, indent).text
    }

    /// Returns whether an object without properties may have this schema.
    pub(super) fn may_be_empty(&self, schema: &Value) -> bool {
        self.may_be_empty_at(schema, MOST_NESTED)
    }

    fn may_be_empty_at(&self, schema: &Value, depth: usize) -> bool {
        // A type may be one of several, itself among them.
        let Some(depth) = depth.checked_sub(1) else {
            return true;
        };
        let list = |key: &str| schema.get(key).and_then(Value::as_array);
        let reference = schema.get("$ref").and_then(Value::as_str);
        if let Some((_, found)) = reference.and_then(|name| self.description.resolve(name)) {
            return self.may_be_empty_at(found, depth);
        }
        let any = |key: &str| {
            list(key).is_none_or(|all| all.iter().any(|one| self.may_be_empty_at(one, depth)))
        };
        list("required").is_none_or(Vec::is_empty)
            && list("allOf")
                .is_none_or(|all| all.iter().all(|one| self.may_be_empty_at(one, depth)))
            && any("anyOf")
            && any("oneOf")
    }

    /// Returns whether values of a schema are neither lists nor objects.
    pub(super) fn is_scalar(&self, schema: &Value) -> bool {
        let reference = schema.get("$ref").and_then(Value::as_str);
        if let Some(reference) = reference {
            // One step: a name for a name is rare, and may go in a circle.
            let found = self.description.resolve(reference);
            return found
                .is_some_and(|(_, schema)| schema.get("$ref").is_none() && self.is_scalar(schema));
        }
        let is_scalar = |name: &Value| {
            matches!(
                name.as_str(),
                Some("string" | "number" | "integer" | "boolean")
            )
        };
        schema.get("type").is_some_and(is_scalar)
    }

    fn read(&self, schema: &Value, indent: &str) -> Type {
        let members = match schema {
            Value::Object(members) => members,
            Value::Bool(false) => return Type::atom("never"),
            _ => return Type::unknown(),
        };
        let list = |key: &str| members.get(key).and_then(Value::as_array);
        let mut parts = Vec::new();
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            let found = self.description.resolve(reference);
            let name = found.and_then(|(name, _)| self.names.get(name));
            parts.push(name.map_or_else(Type::unknown, Type::atom));
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(variants) = list(key) {
                let variants = variants.iter().map(|schema| self.read(schema, indent));
                parts.push(union(variants.collect(), indent));
            }
        }
        for schema in list("allOf").into_iter().flatten() {
            parts.push(self.read(schema, indent));
        }
        if let Some(value) = members.get("const") {
            parts.push(constant(value));
        } else if let Some(values) = list("enum") {
            parts.push(union(values.iter().map(constant).collect(), indent));
        } else {
            // An object without properties says nothing that the other parts do not.
            let says_nothing = !parts.is_empty() && !members.contains_key("properties");
            let named = match members.get("type") {
                Some(Value::String(name)) => vec![name.as_str()],
                Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
                _ if members.contains_key("properties") => vec!["object"],
                _ => Vec::new(),
            };
            let named = named.into_iter();
            let named = named.filter(|name| !(says_nothing && *name == "object"));
            let types: Vec<_> = named
                .map(|name| self.named(name, members, indent))
                .collect();
            if !types.is_empty() {
                parts.push(union(types, indent));
            }
        }
        intersection(parts)
    }

    fn named(&self, name: &str, members: &Map<String, Value>, indent: &str) -> Type {
        match name {
            "string" => Type::atom("string"),
            "integer" | "number" => Type::atom("number"),
            "boolean" => Type::atom("boolean"),
            "null" => Type::atom("null"),
            "array" => self.array(members, indent),
            "object" => self.object(members, indent),
            _ => Type::unknown(),
        }
    }

    fn array(&self, members: &Map<String, Value>, indent: &str) -> Type {
        let size = |key: &str| members.get(key).and_then(Value::as_u64);
        let items = members.get("items");
        if let Some(first) = members.get("prefixItems").and_then(Value::as_array) {
            let mut parts: Vec<_> = first.iter().map(|item| self.of(item, indent)).collect();
            let is_closed = size("maxItems").is_some_and(|most| most <= first.len() as u64);
            if let (Some(items), false) = (items, is_closed) {
                let rest = self.read(items, indent).in_parentheses();
                parts.push(format!("...{rest}[]"));
            }
            return Type::atom(format!("[{}]", parts.join(", ")));
        }
        let Some(items) = items else {
            return Type::atom("unknown[]");
        };
        let item = self.read(items, indent);
        match (size("minItems"), size("maxItems")) {
            (Some(least), Some(most)) if least == most && most <= LONGEST_TUPLE => {
                let items: Vec<_> = (0..most).map(|_| item.text.as_str()).collect();
                Type::atom(format!("[{}]", items.join(", ")))
            }
            _ => Type::atom(format!("{}[]", item.in_parentheses())),
        }
    }

    fn object(&self, members: &Map<String, Value>, indent: &str) -> Type {
        let properties = members.get("properties").and_then(Value::as_object);
        let required = members.get("required").and_then(Value::as_array);
        let is_required = |key: &str| {
            let mut required = required.into_iter().flatten();
            required.any(|name| name.as_str() == Some(key))
        };
        let inner = format!("{indent}  ");
        let mut has_docs = false;
        let lines: Vec<_> = properties
            .into_iter()
            .flatten()
            .map(|(key, schema)| {
                let doc = comment(&doc(schema), &inner);
                has_docs |= !doc.is_empty();
                let optional = if is_required(key) { "" } else { "?" };
                let value = self.of(schema, &inner);
                (doc, format!("{}{optional}: {value}", property(key)))
            })
            .collect();
        let mut parts = Vec::new();
        if !lines.is_empty() {
            let short: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
            let short = format!("{{ {} }}", short.join("; "));
            let is_short = !has_docs && short.len() <= SHORT && !short.contains('\n');
            parts.push(Type::atom(match is_short {
                true => short,
                false => {
                    let lines = lines
                        .iter()
                        .map(|(doc, line)| format!("{doc}{inner}{line};\n"));
                    format!("{{\n{}{indent}}}", lines.collect::<String>())
                }
            }));
        }
        if let Some(values) = self.values(members, lines.is_empty(), indent) {
            parts.push(Type::atom(format!("{{ [key: string]: {values} }}")));
        }
        intersection(parts)
    }

    /// Returns the type of an object's values whose keys are not known; `None` if there are none.
    fn values(&self, members: &Map<String, Value>, alone: bool, indent: &str) -> Option<String> {
        let mut types = Vec::new();
        let patterns = members.get("patternProperties").and_then(Value::as_object);
        types.extend(patterns.into_iter().flatten().map(|(_, schema)| schema));
        match members.get("additionalProperties") {
            Some(schema @ Value::Object(_)) => types.push(schema),
            Some(Value::Bool(true)) if !alone => types.push(&Value::Bool(true)),
            _ => {}
        }
        if types.is_empty() {
            let is_closed = members.get("additionalProperties") == Some(&Value::Bool(false));
            let nothing = if is_closed { "never" } else { "unknown" };
            return alone.then(|| nothing.to_owned());
        }
        // TypeScript demands of all keys what it demands of those that are not known.
        let known = members.get("properties").and_then(Value::as_object);
        let known = known.into_iter().flatten().map(|(_, schema)| schema);
        let types = types.into_iter().chain(known);
        let types = types.map(|schema| self.read(schema, indent));
        Some(union(types.collect(), indent).text)
    }
}

/// Returns a key as it stands in an object.
pub(super) fn property(key: &str) -> String {
    match is_identifier(key) {
        true => key.to_owned(),
        false => literal(key),
    }
}

/// Returns what the app says about a type or a property.
fn doc(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str);
    let mut doc = text.unwrap_or_default().to_owned();
    if schema.get("deprecated") == Some(&Value::Bool(true)) {
        doc.push_str("\n@deprecated");
    }
    doc
}

fn constant(value: &Value) -> Type {
    match value {
        Value::String(text) => Type::atom(literal(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Type::atom(value.to_string()),
        Value::Array(_) | Value::Object(_) => Type::unknown(),
    }
}

fn union(types: Vec<Type>, indent: &str) -> Type {
    let mut texts: Vec<String> = Vec::new();
    for one in types {
        if one.text == "unknown" {
            return one;
        }
        // A union in a union needs no parentheses, and an intersection binds more closely.
        if !texts.contains(&one.text) {
            texts.push(one.text);
        }
    }
    match texts.len() {
        0 => Type::atom("never"),
        1 => Type::atom(texts.swap_remove(0)),
        _ => {
            let short = texts.join(" | ");
            let is_short = short.len() <= SHORT && !short.contains('\n');
            let text = match is_short {
                true => short,
                false => {
                    let lines = texts.iter().map(|text| format!("\n{indent}  | {text}"));
                    lines.collect()
                }
            };
            Type {
                text,
                kind: Kind::Union,
            }
        }
    }
}

fn intersection(mut parts: Vec<Type>) -> Type {
    parts.retain(|part| part.text != "unknown");
    match parts.len() {
        0 => Type::unknown(),
        1 => parts.swap_remove(0),
        _ => {
            let parts = parts.into_iter().map(|part| match part.kind {
                Kind::Union => part.in_parentheses(),
                _ => part.text,
            });
            Type {
                text: parts.collect::<Vec<_>>().join(" & "),
                kind: Kind::Intersection,
            }
        }
    }
}
