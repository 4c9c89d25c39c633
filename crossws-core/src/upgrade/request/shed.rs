//! Selects the headers of a request that a peer does not keep.

use std::cmp::Reverse;

use http::header::{HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};

use crate::sort::sort_by;

/// Headers that this crate reads itself, or that say what was agreed: small, and dropped last.
const LAST: [HeaderName; 4] = [
    HOST,
    ORIGIN,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_EXTENSIONS,
];

/// Returns the names of the headers to drop so that at least `excess` bytes are freed: the largest
/// first, and those in `kept` or [`LAST`] after all others. All lines of a header count together
/// and are dropped together: a hook must not take a part of a list for the whole.
///
/// `headers` has a name and a size for each line. The result is sorted.
#[cold]
pub(super) fn headers_to_drop<'a>(
    headers: &mut dyn Iterator<Item = (&'a str, usize)>,
    excess: usize,
    kept: &[HeaderName],
) -> Vec<&'a str> {
    let mut sizes: Vec<_> = headers.collect();
    sort_by(&mut sizes, |one, other| one.0.cmp(other.0));
    sizes.dedup_by(|line, first| {
        let is_same = line.0 == first.0;
        first.1 += if is_same { line.1 } else { 0 };
        is_same
    });
    let is_last = |name: &str| LAST.iter().chain(kept).any(|last| last == name);
    let order = |(name, size): &(&'a str, usize)| (is_last(name), Reverse(*size), *name);
    sort_by(&mut sizes, |one, other| order(one).cmp(&order(other)));
    let mut gone = 0;
    let mut dropped: Vec<_> = sizes
        .into_iter()
        .take_while(|(_, size)| {
            let more = gone < excess;
            gone += size;
            more
        })
        .map(|(name, _)| name)
        .collect();
    sort_by(&mut dropped, |one, other| one.cmp(other));
    tracing::debug!(
        ?dropped,
        "a request has more headers than its peer may keep"
    );
    dropped
}
