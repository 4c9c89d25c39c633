pub(crate) mod error;
mod segment;

use std::fmt;

use crate::routes::pattern::error::{PatternError, PatternErrorKind};
use crate::routes::pattern::segment::{Segment, escape_braces};

/// How many parameters one pattern may have: the matcher names them `a` to `y`.
const MAX_PARAMS: usize = 25;

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
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// let pattern = Pattern::parse("/img/{id}.png")?;
/// let PatternSegment { param, suffix, .. } = pattern.segments().last().unwrap();
/// assert_eq!((param, suffix), (Some("id"), ".png"));
/// # Ok::<_, PatternError>(())
/// ```
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

#[cfg(test)]
mod tests;
