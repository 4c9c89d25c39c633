//! Headers, in a map or in a parsed head.

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
        let name = self.name;
        let is_it = |found: &str| found.len() == name.len() && found.eq_ignore_ascii_case(name);
        loop {
            let header = self.rest.next()?;
            if is_it(header.name) {
                return Some(header.value);
            }
        }
    }
}

/// Returns whether a list header, over all of its lines, contains a token.
pub(super) fn has_token<L: Lookup + ?Sized>(headers: &L, name: &HeaderName, token: &str) -> bool {
    headers
        .values(name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
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
