use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::request::path::normalize;
use crate::routes::pattern::error::PatternErrorKind;

/// The characters that [`Pattern`](super::Pattern) writes percent-encoded, so that a literal is never read as a
/// parameter. `%` is not among them: the normal form of a path already encodes it.
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'#')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'{')
    .add(b'}');

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Segment {
    /// The literal before the parameter, or the whole segment; in the normal form of paths.
    pub(super) prefix: String,
    pub(super) param: Option<Param>,
    pub(super) suffix: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Param {
    pub(super) name: String,
    pub(super) catch_all: bool,
}

impl Segment {
    pub(super) fn parse(text: &str) -> Result<Self, PatternErrorKind> {
        use PatternErrorKind::{
            AffixedCatchAll, BareStar, BareWildcard, EmptySegment, OptionalParam, Unclosed,
        };
        if text.is_empty() {
            return Err(EmptySegment);
        }
        if text.starts_with('*') {
            return Err(BareStar(text.to_owned()));
        }
        if let Some(rest) = text.strip_prefix(':') {
            let end = rest
                .find(|c| !is_name_char(c) || c == '-')
                .unwrap_or(rest.len());
            let (name, suffix) = rest.split_at(end);
            return Ok(Self {
                prefix: String::new(),
                param: Some(Param::parse(name, "")?),
                suffix: Self::suffix(suffix, text)?,
            });
        }
        let Some(open) = first_bracket(text) else {
            return Ok(Self {
                prefix: literal(text)?,
                param: None,
                suffix: String::new(),
            });
        };
        let (prefix, inside) = text.split_at(open);
        let (close, catch_all) = match inside.as_bytes() {
            [b'[', b'[', ..] => return Err(OptionalParam(text.to_owned())),
            [b'[', ..] => (']', "..."),
            [b'{', ..] => ('}', "*"),
            // A closing bracket without an opening one.
            _ => return Err(Unclosed(text.to_owned())),
        };
        let inside = &inside[1..];
        let Some((name, suffix)) = inside.split_once(close) else {
            return Err(Unclosed(text.to_owned()));
        };
        if name == "*" || name == "..." {
            return Err(BareWildcard(text.to_owned()));
        }
        let param = Param::parse(name, catch_all)?;
        let prefix = literal(prefix)?;
        let suffix = Self::suffix(suffix, text)?;
        if param.catch_all && !(prefix.is_empty() && suffix.is_empty()) {
            return Err(AffixedCatchAll(text.to_owned()));
        }
        Ok(Self {
            prefix,
            param: Some(param),
            suffix,
        })
    }

    fn suffix(suffix: &str, segment: &str) -> Result<String, PatternErrorKind> {
        if let Some(at) = first_bracket(suffix) {
            return Err(match suffix.as_bytes()[at] {
                b'{' | b'[' => PatternErrorKind::TwoParams(segment.to_owned()),
                _ => PatternErrorKind::Unclosed(segment.to_owned()),
            });
        }
        let suffix = literal(suffix)?;
        if suffix.starts_with(['{', '}']) {
            return Err(PatternErrorKind::BraceAfterParam(segment.to_owned()));
        }
        Ok(suffix)
    }

    pub(super) fn is_catch_all(&self) -> bool {
        self.param.as_ref().is_some_and(|param| param.catch_all)
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parsed again, these would begin a parameter.
        let (first, prefix) = match self.prefix.as_bytes() {
            [b':', ..] => ("%3A", &self.prefix[1..]),
            [b'*', ..] => ("%2A", &self.prefix[1..]),
            _ => ("", self.prefix.as_str()),
        };
        write!(f, "{first}{}", utf8_percent_encode(prefix, RESERVED))?;
        if let Some(param) = &self.param {
            param.fmt(f)?;
        }
        utf8_percent_encode(&self.suffix, RESERVED).fmt(f)
    }
}

impl Param {
    fn parse(name: &str, catch_all: &str) -> Result<Self, PatternErrorKind> {
        let (name, catch_all) = match name.strip_prefix(catch_all) {
            Some(name) if !catch_all.is_empty() => (name, true),
            _ => (name, false),
        };
        if name.is_empty() || name.starts_with('-') || !name.chars().all(is_name_char) {
            return Err(PatternErrorKind::ParamName(name.to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            catch_all,
        })
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{{}{}}}",
            if self.catch_all { "*" } else { "" },
            self.name
        )
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Returns the first bracket that is not a doubled brace.
fn first_bracket(text: &str) -> Option<usize> {
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '{' | '}' if rest.next_if(|(_, next)| *next == c).is_some() => {}
            '{' | '}' | '[' | ']' => return Some(at),
            _ => {}
        }
    }
    None
}

/// Converts a literal to the normal form of paths.
fn literal(text: &str) -> Result<String, PatternErrorKind> {
    let text = text.replace("{{", "{").replace("}}", "}");
    match normalize(&text) {
        Ok(literal) => Ok(literal.into_owned()),
        Err(_) => Err(PatternErrorKind::NotUtf8(
            percent_decode_str(&text).decode_utf8_lossy().into_owned(),
        )),
    }
}

pub(super) fn escape_braces(literal: &str) -> String {
    literal.replace('{', "{{").replace('}', "}}")
}
