//! A request's head in one allocation, for as long as its peer lives. The form of `http` takes a
//! kilobyte for a small head.

mod names;
mod platform;
#[cfg(test)]
mod tests;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Extensions, Method, Request, Uri, Version};
use once_cell::race::OnceBox;

use self::names::{NAMES, position};
use self::platform::HTTP_2;
use super::shed::headers_to_drop;
use super::whole::Whole;
use crate::service::connection_info::ConnectionInfo;

/// Most headers of a packed head: far fewer than `HeaderMap` has room for.
const MOST_HEADERS: usize = 1024;

/// The byte for the first of [`NAMES`]. Every length of a name is below it.
const NAMED: u8 = 0x80;

/// The byte for the first of [`NAMES`] with one of its usual values.
const USUAL: u8 = 0xc0;

/// A `GET` by HTTP/1.1 or HTTP/2 of a path on this host, which nearly every upgrade is.
#[derive(Clone)]
pub(super) struct Packed {
    /// One byte that says which kind of address follows, and whether the connection is encrypted;
    /// the address; the target with its length in two bytes before it; then for each header one
    /// byte for the name, two with the value's length, the name if it is none of [`NAMES`], the
    /// value. The byte for the name is its length, or, from [`NAMED`] on, the index of a name in
    /// the table. From [`USUAL`] on it is such an index too, and only the index of a value of that
    /// name follows.
    bytes: Box<[u8]>,
    pub(super) extensions: Extensions,
    /// The unpacked form, for callers that have asked for it.
    parts: OnceBox<Parts>,
}

impl Packed {
    /// Packs a request. Returns `None` for a request that does not fit the form, which keeps its
    /// parts. From one that does, the extensions are taken.
    pub(super) fn of(whole: &mut Whole) -> Option<Self> {
        let Whole { parts, .. } = whole;
        let uri = &parts.uri;
        let target = uri.path_and_query()?.as_str();
        let fits = parts.method == Method::GET
            && matches!(parts.version, Version::HTTP_11 | Version::HTTP_2)
            && uri.scheme().is_none()
            && uri.authority().is_none()
            && target.starts_with('/')
            && !parts.headers.values().any(HeaderValue::is_sensitive);
        if !fits {
            return None;
        }
        let is_http_2 = parts.version == Version::HTTP_2;
        let mut packing = Packing::new(whole.connection, is_http_2, target)?;
        for (name, value) in &parts.headers {
            let name = name.as_str();
            match position(name) {
                Some(at) => packing.known(at, value.as_bytes())?,
                None => packing.other(name, value.as_bytes())?,
            }
        }
        Some(packing.finish(std::mem::take(&mut parts.extensions)))
    }

    /// Packs the pieces of a head. Returns `None` for a head that does not fit the form, or that
    /// needs a closer check of whether HTTP allows it.
    pub(super) fn of_head<'a>(
        target: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Option<Self> {
        if !is_plain(target) {
            return None;
        }
        let mut packing = Packing::new(ConnectionInfo::default(), false, target)?;
        for (count, (name, value)) in headers.into_iter().enumerate() {
            if count >= MOST_HEADERS || !is_value(value) {
                return None;
            }
            match position(name) {
                Some(at) => packing.known(at, value)?,
                None => {
                    // Which has it in lower case.
                    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                    packing.other(name.as_str(), value)?;
                }
            }
        }
        Some(packing.finish(Extensions::new()))
    }

    /// Drops headers until at most `most` bytes are left, if the target leaves room for any.
    pub(super) fn shed(&mut self, most: usize, kept: &[HeaderName]) {
        let excess = self.bytes.len().saturating_sub(most);
        if excess == 0 {
            return;
        }
        let (_, headers) = self.split();
        let lines = || Lines(Headers(headers));
        let mut sizes = lines().map(|(name, line)| (name, line.len()));
        let dropped = headers_to_drop(&mut sizes, excess, kept);
        let front = self.bytes.len() - headers.len();
        let mut bytes = self.bytes.get(..front).unwrap_or_default().to_vec();
        for (name, line) in lines() {
            if dropped.binary_search(&name).is_err() {
                bytes.extend_from_slice(line);
            }
        }
        self.bytes = bytes.into();
        self.forget_parts();
    }

    /// Drops the unpacked form, which is created again on demand.
    pub(super) fn forget_parts(&mut self) {
        self.parts = OnceBox::new();
    }

    pub(super) fn set_connection(&mut self, info: ConnectionInfo) {
        if self.connection() != info {
            let rest = platform::skip(&self.bytes);
            let mut bytes = Vec::with_capacity(platform::MOST);
            platform::put(&mut bytes, info, self.is_http_2());
            // In memory of its own size.
            self.bytes = [&bytes[..], rest].concat().into();
        }
    }

    pub(super) fn connection(&self) -> ConnectionInfo {
        platform::connection(&self.bytes)
    }

    fn is_http_2(&self) -> bool {
        self.bytes.first().is_some_and(|kind| kind & HTTP_2 != 0)
    }

    /// Returns the form of `http`, created on the first call.
    pub(super) fn parts(&self) -> &Parts {
        self.parts.get_or_init(|| Box::new(self.unpack()))
    }

    pub(super) fn into_parts(self) -> Parts {
        match self.parts.get() {
            Some(parts) => parts.clone(),
            None => self.unpack(),
        }
    }

    /// Returns path and query.
    pub(super) fn target(&self) -> &str {
        let (target, _) = self.split();
        str::from_utf8(target).unwrap_or_default()
    }

    pub(super) fn target_len(&self) -> usize {
        self.split().0.len()
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.target().split_once('?').map(|(_, query)| query)
    }

    pub(super) fn path(&self) -> &str {
        let (target, _) = self.split();
        let end = target.iter().position(|byte| *byte == b'?');
        let path = target.get(..end.unwrap_or(target.len()));
        str::from_utf8(path.unwrap_or_default()).unwrap_or_default()
    }

    /// Returns the values of a header whose name is in lower case.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let name = name.as_bytes();
        self.headers()
            .filter_map(move |(found, value)| (found == name).then_some(value))
    }

    fn headers(&self) -> Headers<'_> {
        let (_, headers) = self.split();
        Headers(headers)
    }

    /// Returns the target, and the headers.
    fn split(&self) -> (&[u8], &[u8]) {
        let rest = platform::skip(&self.bytes);
        rest.split_first_chunk()
            .and_then(|(len, rest)| rest.split_at_checked(u16::from_be_bytes(*len).into()))
            .unwrap_or_default()
    }

    fn unpack(&self) -> Parts {
        let (mut parts, ()) = Request::new(()).into_parts();
        // Text that was parsed once is parsed again: nothing here fails.
        parts.uri = Uri::try_from(self.target()).unwrap_or_default();
        parts.headers = HeaderMap::with_capacity(self.headers().count());
        for (name, value) in self.headers() {
            if let Ok(name) = HeaderName::from_bytes(name)
                && let Ok(value) = HeaderValue::from_bytes(value)
            {
                parts.headers.append(name, value);
            }
        }
        parts.extensions = self.extensions.clone();
        if self.is_http_2() {
            parts.version = Version::HTTP_2;
        }
        parts
    }
}

/// A head that is being packed.
struct Packing(Vec<u8>);

impl Packing {
    fn new(connection: ConnectionInfo, is_http_2: bool, target: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(512);
        platform::put(&mut bytes, connection, is_http_2);
        bytes.extend_from_slice(&u16::try_from(target.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(target.as_bytes());
        Some(Self(bytes))
    }

    /// Adds a header whose name is one of [`NAMES`].
    fn known(&mut self, at: usize, value: &[u8]) -> Option<()> {
        let (_, values) = NAMES.get(at)?;
        let usual = values.iter().position(|usual| usual.as_bytes() == value);
        match usual {
            Some(usual) => self.0.extend_from_slice(&[USUAL | at as u8, usual as u8]),
            None => self.header(NAMED | at as u8, "", value)?,
        }
        Some(())
    }

    /// Adds a header of another name, in lower case.
    fn other(&mut self, name: &str, value: &[u8]) -> Option<()> {
        let code = u8::try_from(name.len()).ok().filter(|len| *len < NAMED)?;
        self.header(code, name, value)
    }

    fn header(&mut self, code: u8, name: &str, value: &[u8]) -> Option<()> {
        let [high, low] = u16::try_from(value.len()).ok()?.to_be_bytes();
        self.0.extend_from_slice(&[code, high, low]);
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(value);
        Some(())
    }

    fn finish(self, extensions: Extensions) -> Packed {
        Packed {
            // In an allocation of its own size: it is kept for long.
            bytes: Box::from(&self.0[..]),
            extensions,
            parts: OnceBox::new(),
        }
    }
}

/// Returns whether a target is a path, with a query or without, of characters that `Uri` accepts
/// unchanged.
fn is_plain(target: &str) -> bool {
    let is_taken =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%?=&+,:;@!$*'()".contains(&byte);
    target.starts_with('/') && target.len() < usize::from(u16::MAX) && target.bytes().all(is_taken)
}

/// Returns whether these bytes are a valid header value, by the rules of `HeaderValue`. Without an
/// early return the compiler vectorizes it.
fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |so_far, byte| {
        so_far & (*byte == b'\t' || (*byte >= b' ' && *byte != 0x7f))
    })
}

/// Headers, name and value.
struct Headers<'a>(&'a [u8]);

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[name, value], rest) = self.0.split_first_chunk()?;
        if let Some(at) = name.checked_sub(USUAL) {
            let (name, values) = NAMES.get(usize::from(at))?;
            self.0 = rest;
            return Some((name.as_bytes(), values.get(usize::from(value))?.as_bytes()));
        }
        let (&low, rest) = rest.split_first()?;
        let high = value;
        let (name, rest) = match name.checked_sub(NAMED) {
            Some(at) => (NAMES.get(usize::from(at))?.0.as_bytes(), rest),
            None => rest.split_at_checked(name.into())?,
        };
        let value = u16::from_be_bytes([high, low]);
        let (value, rest) = rest.split_at_checked(value.into())?;
        self.0 = rest;
        Some((name, value))
    }
}

/// Headers, name and packed form.
struct Lines<'a>(Headers<'a>);

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let Headers(before) = self.0;
        let (name, _) = self.0.next()?;
        let line = before.get(..before.len() - self.0.0.len())?;
        Some((str::from_utf8(name).unwrap_or_default(), line))
    }
}

/// Returns a header's value as text, if it is UTF-8 without control characters.
pub(crate) fn readable(value: &[u8]) -> Option<&str> {
    let is_control = |char: char| char.is_control() && char != '\t';
    str::from_utf8(value)
        .ok()
        .filter(|text| !text.contains(is_control))
}

/// Returns a header's value as text, by the rules of `HeaderValue::to_str`: if all of it is visible
/// ASCII.
pub(crate) fn text(value: &[u8]) -> Option<&str> {
    let visible = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    let text = value.iter().all(visible).then_some(value)?;
    str::from_utf8(text).ok()
}
