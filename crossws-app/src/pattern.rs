use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::path::normalize;

/// How many parameters one pattern may have: the matcher names them `a` to `y`.
const MAX_PARAMS: usize = 25;

/// The characters that [`Pattern`] writes percent-encoded, so that a literal is never read as a
/// parameter. `%` is not among them: the normal form of a path already encodes it.
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'#')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'{')
    .add(b'}');

/// The path pattern of a route.
///
/// A pattern is a list of segments. A segment is a literal, or it holds one parameter:
///
/// | written as | matches |
/// | --- | --- |
/// | `{id}`, `[id]`, `:id` | one segment, which is not empty |
/// | `img-{id}.png`, `img-[id].png` | one segment with this prefix and suffix |
/// | `{*rest}`, `[...rest]` | the rest of the path, at least one character; only at the end |
///
/// The three ways to write a parameter mean the same, and [`Display`](fmt::Display) writes the
/// first. `{{` and `}}` are literal braces; any character can be percent-encoded. A literal matches
/// however the client encodes it: `/café` and `/caf%C3%A9` are one pattern. The leading slash may
/// be left out; `""` is the root.
///
/// ```
/// use crossws_app::Pattern;
///
/// let pattern = Pattern::parse("rooms/[room]/files/[...path]")?;
/// assert_eq!(pattern.to_string(), "/rooms/{room}/files/{*path}");
/// assert!(pattern.params().eq(["room", "path"]));
/// assert_eq!(pattern, Pattern::parse("/rooms/:room/files/{*path}")?);
/// # Ok::<_, crossws_app::PatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Without the leading slash; the root has none.
    segments: Vec<Segment>,
    trailing_slash: bool,
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// assert_eq!(Pattern::parse("/rooms/[id]")?.to_string(), "/rooms/{id}");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PatternError`] if the pattern is malformed. It names the pattern and the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let error = |kind| PatternError::new(text, kind);
        if let Some(found) = text.chars().find(|c| matches!(c, '?' | '#')) {
            return Err(error(PatternErrorKind::NotPath(found)));
        }
        let path = text.strip_prefix('/').unwrap_or(text);
        let mut pattern = Self::root();
        if path.is_empty() {
            return Ok(pattern);
        }
        let (path, trailing_slash) = match path.strip_suffix('/') {
            Some(path) => (path, true),
            None => (path, false),
        };
        pattern.trailing_slash = trailing_slash;
        for segment in path.split('/') {
            pattern
                .segments
                .push(Segment::parse(segment).map_err(error)?);
        }
        pattern.check().map_err(error)?;
        Ok(pattern)
    }

    /// Returns the pattern of the root, `/`.
    pub fn root() -> Self {
        Self {
            segments: Vec::new(),
            trailing_slash: false,
        }
    }

    /// Appends another pattern to this one. The root appended is this pattern itself: `/a` and `/`
    /// are `/a`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let rooms = Pattern::parse("/rooms")?.join(&Pattern::parse("/{id}")?)?;
    /// assert_eq!(rooms.to_string(), "/rooms/{id}");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PatternError`] if both have a parameter of one name, this one ends in a catch-all, or the
    /// result has too many parameters.
    pub fn join(&self, below: &Self) -> Result<Self, PatternError> {
        if below.segments.is_empty() {
            return Ok(self.clone());
        }
        let joined = Self {
            segments: [self.segments.as_slice(), &below.segments].concat(),
            trailing_slash: below.trailing_slash,
        };
        match joined.check() {
            Ok(()) => Ok(joined),
            Err(kind) => Err(PatternError::new(&joined.to_string(), kind)),
        }
    }

    /// Returns the names of the parameters, in the order of the path.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// assert!(Pattern::parse("/rooms/{room}/{*rest}")?.params().eq(["room", "rest"]));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.segments
            .iter()
            .filter_map(|segment| Some(segment.param.as_ref()?.name.as_str()))
    }

    /// Returns the segments, in the order of the path; the root has none.
    ///
    /// ```
    /// # use crossws_app::*;
    /// let pattern = Pattern::parse("/img/{id}.png")?;
    /// let last = pattern.segments().last().unwrap();
    /// assert_eq!((last.prefix, last.param, last.suffix), ("", Some("id"), ".png"));
    /// # Ok::<_, PatternError>(())
    /// ```
    pub fn segments(&self) -> impl Iterator<Item = PatternSegment<'_>> {
        self.segments.iter().map(|segment| PatternSegment {
            prefix: &segment.prefix,
            param: segment.param.as_ref().map(|param| param.name.as_str()),
            is_catch_all: segment.is_catch_all(),
            suffix: &segment.suffix,
        })
    }

    /// Returns whether the pattern ends in a slash and is not the root.
    pub fn has_trailing_slash(&self) -> bool {
        self.trailing_slash
    }

    /// Returns whether the pattern ends in a catch-all.
    pub fn is_catch_all(&self) -> bool {
        self.segments.last().is_some_and(Segment::is_catch_all)
    }

    /// Returns the same pattern with a slash at its end, or without. The root and a catch-all have
    /// no other form.
    pub(crate) fn other_slash(&self) -> Option<Self> {
        (!self.segments.is_empty() && !self.is_catch_all()).then(|| Self {
            segments: self.segments.clone(),
            trailing_slash: !self.trailing_slash,
        })
    }

    /// Returns the pattern in the syntax of matchit, for paths in their normal form.
    pub(crate) fn to_matchit(&self) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            text.push('/');
            text.push_str(&escape_braces(&segment.prefix));
            if let Some(param) = &segment.param {
                text.push_str(&param.to_string());
            }
            text.push_str(&escape_braces(&segment.suffix));
        }
        if self.trailing_slash || text.is_empty() {
            text.push('/');
        }
        text
    }

    /// Checks what must hold between segments.
    fn check(&self) -> Result<(), PatternErrorKind> {
        if self.params().count() > MAX_PARAMS {
            return Err(PatternErrorKind::TooManyParams(MAX_PARAMS));
        }
        for (index, name) in self.params().enumerate() {
            if self.params().take(index).any(|before| before == name) {
                return Err(PatternErrorKind::DuplicateParam(name.to_owned()));
            }
        }
        let inner = self.segments.len() - usize::from(!self.trailing_slash);
        match self.segments[..inner].iter().find(|one| one.is_catch_all()) {
            Some(segment) => Err(PatternErrorKind::CatchAllNotLast(segment.to_string())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            write!(f, "/{segment}")?;
        }
        if self.trailing_slash || self.segments.is_empty() {
            f.write_str("/")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

/// A segment of a [`Pattern`].
///
/// Its literals are in the [normal form](crossws_core::normal_path) of paths: percent-decoded, except
/// for `%25` and `%2F`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PatternSegment<'p> {
    /// The literal before the parameter, or the whole segment if it has none.
    pub prefix: &'p str,
    /// The name of the parameter.
    pub param: Option<&'p str>,
    /// Whether the parameter is the rest of the path.
    pub is_catch_all: bool,
    /// The literal after the parameter.
    pub suffix: &'p str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Segment {
    /// The literal before the parameter, or the whole segment; in the normal form of paths.
    prefix: String,
    param: Option<Param>,
    suffix: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Param {
    name: String,
    catch_all: bool,
}

impl Segment {
    fn parse(text: &str) -> Result<Self, PatternErrorKind> {
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

    fn is_catch_all(&self) -> bool {
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

fn escape_braces(literal: &str) -> String {
    literal.replace('{', "{{").replace('}', "}}")
}

/// A pattern that cannot be parsed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{pattern}` is malformed: {kind}")]
pub struct PatternError {
    pattern: String,
    kind: PatternErrorKind,
}

impl PatternError {
    fn new(pattern: &str, kind: PatternErrorKind) -> Self {
        Self {
            pattern: pattern.to_owned(),
            kind,
        }
    }

    /// Returns the pattern.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Returns what is wrong with it.
    pub fn kind(&self) -> &PatternErrorKind {
        &self.kind
    }
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternErrorKind {
    /// A query or a fragment.
    #[error("`{0}` is not part of a path; read the query with `query()`")]
    NotPath(char),
    /// Two slashes in a row.
    #[error("it has an empty segment")]
    EmptySegment,
    /// A segment that begins with `*`.
    #[error("write `{{*name}}` for the rest of the path, not `{0}`")]
    BareStar(String),
    /// A catch-all without a name.
    #[error("the catch-all `{0}` needs a name, such as `{{*rest}}`")]
    BareWildcard(String),
    /// An optional parameter: `[[id]]`.
    #[error("`{0}`: there are no optional parameters; add a route without it")]
    OptionalParam(String),
    /// A bracket without its counterpart.
    #[error("the brackets of `{0}` do not match")]
    Unclosed(String),
    /// Two parameters in one segment.
    #[error("the segment `{0}` has more than one parameter")]
    TwoParams(String),
    /// A literal brace right after a parameter, which the matcher takes for a part of it.
    #[error("the segment `{0}` has a literal brace right after its parameter")]
    BraceAfterParam(String),
    /// A catch-all with a prefix or a suffix.
    #[error("the catch-all `{0}` must be a whole segment")]
    AffixedCatchAll(String),
    /// A catch-all that is not at the end.
    #[error("the catch-all `{0}` must be the last segment")]
    CatchAllNotLast(String),
    /// A name with characters other than letters, digits, `_` and `-`.
    #[error("`{0}` is not a parameter's name: use letters, digits, `_` and `-`")]
    ParamName(String),
    /// Two parameters of one name.
    #[error("it has two parameters with the name `{0}`")]
    DuplicateParam(String),
    /// More parameters than a pattern may have.
    #[error("it has more than {0} parameters")]
    TooManyParams(usize),
    /// A percent-encoded literal that does not decode to UTF-8.
    #[error("`{0}` is not UTF-8 when it is percent-decoded")]
    NotUtf8(String),
}

#[cfg(test)]
mod tests;
