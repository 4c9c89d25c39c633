//! Names of generated code.

use std::collections::{BTreeMap, BTreeSet};

use crossws_app::description::{Description, RouteDescription};
use unicode_ident::{is_xid_continue, is_xid_start};

/// The names that types of an app cannot have: those of the runtime, and those that it uses.
pub(super) const RESERVED: &str = "\
    Array ArrayBuffer ArrayBufferView Awaited CallError CallErrorKind CallOptions CallSocket \
    Close Data Date Environment Error ErrorMessage JSON Listeners MAX_RUNNING Map Math Methods \
    Number Object Options Parameters PathValue Promise QueryValue RangeError Readable ReturnType \
    Sent Set SignalLike Signals Socket Status Stores String Timers TypeError \
    WebSocketConstructor WebSocketLike";

/// Returns the words of a text as one name, each with a capital: `my-type` is `MyType`.
pub(super) fn pascal(text: &str) -> String {
    let mut name = String::new();
    let mut begins = true;
    for c in text.chars() {
        match c {
            '_' => begins = true,
            c if !is_xid_continue(c) => begins = true,
            c if begins => {
                name.extend(c.to_uppercase());
                begins = false;
            }
            c => name.push(c),
        }
    }
    name
}

/// Returns whether a text is an identifier, and so a key without quotes.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    first.is_some_and(|c| c == '_' || c == '$' || is_xid_start(c))
        && chars.all(|c| c == '$' || is_xid_continue(c))
}

/// Returns this name, or one with a number if it is taken, and takes it.
pub(super) fn unique(name: String, taken: &mut BTreeSet<String>) -> String {
    let mut unique = name.clone();
    let mut number = 1;
    while !taken.insert(unique.clone()) {
        number += 1;
        unique = format!("{name}{number}");
    }
    unique
}

/// Returns the names of the definitions' types.
pub(super) fn of_types(description: &Description) -> BTreeMap<&str, String> {
    let mut taken = RESERVED.split(' ').map(str::to_owned).collect();
    let names = description.definitions.keys();
    names
        .map(|definition| {
            let mut name = pascal(definition);
            if !is_identifier(&name) {
                name.insert(0, 'T');
            }
            (definition.as_str(), unique(name, &mut taken))
        })
        .collect()
}

/// Returns a name for each route, which may be empty: that of the route, or the literals of its pattern.
/// Where this is taken, the names of its parameters follow, and then a number. Routes with a name come
/// first, because the app has chosen it.
pub(super) fn of_routes(description: &Description) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut names = vec![String::new(); description.routes.len()];
    for named in [true, false] {
        let routes = description.routes.iter().zip(&mut names);
        for (route, name) in routes.filter(|(route, _)| route.name.is_some() == named) {
            let mut wanted = match &route.name {
                Some(name) => pascal(&without_parameters(name)),
                None => pascal(&literals(route)),
            };
            if taken.contains(&wanted) {
                let params: Vec<_> = route.pattern.params().collect();
                if !params.is_empty() {
                    wanted.push_str("By");
                    wanted.push_str(&pascal(&params.join(" ")));
                }
            }
            *name = unique(wanted, &mut taken);
        }
    }
    names
}

fn literals(route: &RouteDescription) -> String {
    let segments = route.pattern.segments();
    let literals = segments.flat_map(|segment| [segment.prefix, segment.suffix]);
    literals.collect::<Vec<_>>().join(" ")
}

/// Returns a name without the parameters that it has because it is a file's: `rooms/[id]` is `rooms/`.
fn without_parameters(name: &str) -> String {
    let mut rest = name;
    let mut short = String::new();
    while let Some(open) = rest.find(['[', '{']) {
        let (before, after) = rest.split_at(open);
        let Some(close) = after.find([']', '}']) else {
            break;
        };
        short.push_str(before);
        short.push(' ');
        rest = &after[close + 1..];
    }
    short + rest
}

/// Returns a name that has only letters, digits, `_` and `-` of ASCII. No object of JavaScript, in which
/// most tools are written, can have the key `__proto__`.
pub(super) fn ascii(name: &str) -> String {
    if name == "__proto__" {
        return "proto".to_owned();
    }
    let chars = name.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() || c == '_' || c == '-' => c,
        _ => '_',
    });
    chars.collect()
}
