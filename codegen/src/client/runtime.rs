//! The part of a module that is the same for all apps, in the three forms in which it is written.

/// The types that users name; the same in a module and in its declarations.
pub(super) const TYPES: &str = include_str!("runtime/types.d.ts");
pub(super) const CALL_TYPES: &str = include_str!("runtime/calls.d.ts");

/// The code. What only TypeScript needs is between `«` and `»`.
const SOCKET: &str = include_str!("runtime/socket.ts");
const CALLS: &str = include_str!("runtime/calls.ts");
const SEGMENT: &str = include_str!("runtime/segment.ts");
const REST: &str = include_str!("runtime/rest.ts");

/// The declarations of the code's exports.
pub(super) const DECLARATIONS: &str = include_str!("runtime/exports.d.ts");
pub(super) const CALL_DECLARATIONS: &str = include_str!("runtime/call-exports.d.ts");

/// The language of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    TypeScript,
    JavaScript,
}

impl Language {
    /// Returns the code of this language that a template has.
    pub(super) fn of(self, template: &str) -> String {
        let mut code = String::new();
        for part in template.split('«') {
            let (types, rest) = part.split_once('»').unwrap_or(("", part));
            if self == Self::TypeScript {
                code.push_str(types);
            }
            code.push_str(rest);
        }
        code
    }

    /// Returns the parts of the runtime that a module needs: what is not used fails strict checks.
    pub(super) fn runtime(self, needs: Needs) -> String {
        let parts = [
            (SOCKET, true),
            (SEGMENT, needs.segments || needs.rest),
            (REST, needs.rest),
            (CALLS, needs.calls),
        ];
        let parts = parts.iter().filter(|(_, needed)| *needed);
        let parts: Vec<_> = parts.map(|(template, _)| self.of(template)).collect();
        parts.join("\n")
    }
}

/// What the routes of an app need.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needs {
    pub(super) segments: bool,
    pub(super) rest: bool,
    pub(super) calls: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::names::RESERVED;

    #[test]
    fn every_name_of_the_runtime_is_reserved() {
        let needs = Needs {
            segments: true,
            rest: true,
            calls: true,
        };
        let code = [TYPES, CALL_TYPES, &Language::TypeScript.runtime(needs)];
        let mut found = 0;
        for line in code.iter().flat_map(|code| code.lines()) {
            let line = line.strip_prefix("export ").unwrap_or(line);
            let words: Vec<_> = line
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .collect();
            if let ["interface" | "type" | "class" | "const", name, ..] = words[..] {
                found += 1;
                let is_type = name.starts_with(char::is_uppercase);
                assert!(
                    !is_type || RESERVED.split(' ').any(|reserved| reserved == name),
                    "{name} is not reserved"
                );
            }
        }
        assert!(found > 15);
    }

    #[test]
    fn javascript_has_no_types() {
        let code = Language::JavaScript.of("a(b«: string», c = «(»d« as any)»)");
        assert_eq!(code, "a(b, c = d)");
        let code = Language::TypeScript.of("a(b«: string», c = «(»d« as any)»)");
        assert_eq!(code, "a(b: string, c = (d as any))");
    }
}
