//! Headers, in a map or in a parsed head.

use crossws_core::adapter::is_word;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Looks up headers.
pub trait Lookup {
    /// Returns the values of a header, line by line.
    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]>;
}

impl Lookup for HeaderMap {
    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

/// Headers of a parsed head: finding a few in it is faster than building a map.
impl Lookup for [httparse::Header<'_>] {
    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        Values {
            rest: self.iter(),
            name: name.as_str(),
        }
    }
}

/// Like `filter`, but without a closure call for every header.
struct Values<'a, 'n> {
    rest: std::slice::Iter<'a, httparse::Header<'a>>,
    name: &'n str,
}

impl<'a> Iterator for Values<'a, '_> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let header = self.rest.next()?;
            if is_word(header.name.as_bytes(), self.name.as_bytes()) {
                return Some(header.value);
            }
        }
    }
}

/// Returns whether a list header, over all of its lines, contains a token, which is a [word](is_word).
pub(super) fn has_token<L: Lookup + ?Sized>(headers: &L, name: &HeaderName, token: &str) -> bool {
    let is_it = |item: &[u8]| is_word(item, token.as_bytes());
    // Nearly always the only one.
    headers.values(name).any(|value| {
        is_it(value)
            || value
                .split(|byte| *byte == b',')
                .any(|item| is_it(item.trim_ascii()))
    })
}

/// Returns the value of a header that must be present exactly once.
pub(super) fn only<'a, L: Lookup + ?Sized>(
    headers: &'a L,
    name: &'a HeaderName,
) -> Option<&'a [u8]> {
    let mut values = headers.values(name);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}
