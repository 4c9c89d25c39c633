/// A pattern that cannot be parsed, and why: see [`PatternErrorKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{pattern}` is malformed: {kind}")]
pub struct PatternError {
    pattern: String,
    kind: PatternErrorKind,
}

impl PatternError {
    pub(super) fn new(pattern: &str, kind: PatternErrorKind) -> Self {
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
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// let error = Pattern::parse("/a//b").unwrap_err();
/// assert_eq!(error.kind(), &PatternErrorKind::EmptySegment);
/// ```
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
