use std::fmt;

use crossws_core::adapter::excerpt;
use serde::de;

/// What is wrong with one of the values, and its name if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) field: Option<String>,
    pub(crate) kind: FieldErrorKind,
}

/// What is wrong with a path's parameter or a query's value.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// #[derive(Debug, serde::Deserialize)]
/// struct Search {
///     page: u32,
/// }
///
/// # let parts = http::Request::get("/?size=7").body(()).unwrap().into_parts().0;
/// # let request = UpgradeRequest::new(parts);
/// let error = request.query_as::<Search>().unwrap_err();
/// assert_eq!(error.kind(), &FieldErrorKind::Missing);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldErrorKind {
    /// A field that the type wants is missing.
    Missing,
    /// A field that the type does not have, where it denies unknown ones.
    Unknown,
    /// Several values where one is wanted.
    Duplicate,
    /// A value that does not convert, and what was expected.
    Invalid(String),
    /// A name or a value that is not UTF-8 when it is percent-decoded.
    NotUtf8,
    /// A type that cannot be read from this, and why.
    Shape(String),
}

impl FieldError {
    pub(crate) fn named(field: &str, kind: FieldErrorKind) -> Self {
        Self {
            field: Some(field.to_owned()),
            kind,
        }
    }

    pub(super) fn shape(why: impl Into<String>) -> Self {
        Self {
            field: None,
            kind: FieldErrorKind::Shape(why.into()),
        }
    }

    pub(super) fn unnamed() -> Self {
        Self::shape("only a struct or a map can be read, by the names of its fields")
    }

    pub(super) fn count(wanted: usize, found: usize) -> Self {
        Self::shape(format!("the type wants {wanted}, and there are {found}"))
    }

    /// Creates the error with the name of the field, if it has none yet.
    pub(super) fn of(mut self, name: &str) -> Self {
        self.field.get_or_insert_with(|| name.to_owned());
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "`{}` ", shown(field))?;
        }
        match &self.kind {
            FieldErrorKind::Missing => f.write_str("is missing"),
            FieldErrorKind::Unknown => f.write_str("is unknown"),
            FieldErrorKind::NotUtf8 => f.write_str("is not UTF-8 when it is percent-decoded"),
            FieldErrorKind::Duplicate => f.write_str("has several values where one is wanted"),
            FieldErrorKind::Invalid(why) | FieldErrorKind::Shape(why) if self.field.is_some() => {
                write!(f, "is not valid: {why}")
            }
            FieldErrorKind::Invalid(why) | FieldErrorKind::Shape(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for FieldError {}

impl de::Error for FieldError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            field: None,
            kind: FieldErrorKind::Invalid(message.to_string()),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::named(field, FieldErrorKind::Missing)
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::named(field, FieldErrorKind::Unknown)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::named(field, FieldErrorKind::Duplicate)
    }
}

/// Returns a name that a client chose, as an error message shows it.
pub(crate) fn shown(name: &str) -> String {
    excerpt(name, 64)
}
