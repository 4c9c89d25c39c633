use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;

#[cfg(doc)]
use crate::peer::Peer;

/// Topics by their names: one, or several in an array, a slice or a `Vec`. See [`Peer::to`].
///
/// ```
/// # use crossws_core::*;
/// let topics = Topics::from(["red", "blue"]);
/// assert!(topics.names().eq(["red", "blue"]));
/// let name = String::from("red");
/// assert_eq!(Topics::from(name.as_str()).names().count(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topics<'a>(SmallVec<[Cow<'a, str>; 1]>);

impl<'a> Topics<'a> {
    /// Returns the names, in the order in which they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the name, if there is one alone.
    pub(crate) fn single(&self) -> Option<&str> {
        match &self.0[..] {
            [name] => Some(name),
            _ => None,
        }
    }

    pub(super) fn add(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    fn one(name: impl Into<Cow<'a, str>>) -> Self {
        Self(SmallVec::from_buf([name.into()]))
    }
}

impl<'a> From<&'a str> for Topics<'a> {
    fn from(topic: &'a str) -> Self {
        Self::one(topic)
    }
}

impl<'a> From<&'a String> for Topics<'a> {
    fn from(topic: &'a String) -> Self {
        Self::one(topic)
    }
}

impl<'a> From<&'a Arc<str>> for Topics<'a> {
    fn from(topic: &'a Arc<str>) -> Self {
        Self::one(&**topic)
    }
}

impl From<String> for Topics<'_> {
    fn from(topic: String) -> Self {
        Self::one(topic)
    }
}

impl<'a, T: Into<Cow<'a, str>>> FromIterator<T> for Topics<'a> {
    fn from_iter<I: IntoIterator<Item = T>>(topics: I) -> Self {
        Self(topics.into_iter().map(Into::into).collect())
    }
}

impl<'a, T: Into<Cow<'a, str>>, const N: usize> From<[T; N]> for Topics<'a> {
    fn from(topics: [T; N]) -> Self {
        topics.into_iter().collect()
    }
}

impl<'a, T: Into<Cow<'a, str>>> From<Vec<T>> for Topics<'a> {
    fn from(topics: Vec<T>) -> Self {
        topics.into_iter().collect()
    }
}

impl<'a, T: AsRef<str>> From<&'a [T]> for Topics<'a> {
    fn from(topics: &'a [T]) -> Self {
        topics.iter().map(AsRef::as_ref).collect()
    }
}

impl<'a, T: AsRef<str>, const N: usize> From<&'a [T; N]> for Topics<'a> {
    fn from(topics: &'a [T; N]) -> Self {
        topics.as_slice().into()
    }
}

impl<'a, T: AsRef<str>> From<&'a Vec<T>> for Topics<'a> {
    fn from(topics: &'a Vec<T>) -> Self {
        topics.as_slice().into()
    }
}
