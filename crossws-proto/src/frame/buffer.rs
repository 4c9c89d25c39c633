//! How buffers grow: with the bytes that have arrived, never with an announced length.

/// The size of a first buffer for data that arrives in pieces.
const FIRST: usize = 64;

/// Returns how much room to reserve before `more` bytes are appended to a buffer that holds `len`
/// bytes and has room for `capacity`. `coming` bytes are announced, `more` among them. Returns 0
/// when there is room.
///
/// At most twice the arrived bytes are owned, so an announcement alone allocates nothing. The
/// buffer never exceeds the announcement either, so a message that arrives in pieces ends up in a
/// buffer of its own size.
pub(super) fn growth(len: usize, capacity: usize, more: usize, coming: usize) -> usize {
    if capacity - len >= more {
        return 0;
    }
    let doubled = len.max(FIRST);
    doubled.min(coming).max(more)
}

/// Appends to a buffer that expects `coming` more bytes, `bytes` among them.
pub(super) fn append(buffer: &mut Vec<u8>, bytes: &[u8], coming: usize) {
    let room = growth(buffer.len(), buffer.capacity(), bytes.len(), coming);
    buffer.reserve_exact(room);
    buffer.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_owned_than_twice_what_has_arrived() {
        let enough = if cfg!(miri) { 500 } else { 1_000_000 };
        for step in [1, 7, 1000, 65_536] {
            for announced in [step, 100_000, usize::MAX >> 1] {
                let mut buffer = Vec::new();
                let mut left = announced;
                while left > 0 && buffer.len() < enough {
                    let count = left.min(step);
                    append(&mut buffer, &vec![0; count], left);
                    left -= count;
                    assert!(buffer.capacity() <= 2 * buffer.len() + FIRST);
                    assert!(buffer.capacity() <= announced.max(FIRST));
                }
                if left == 0 {
                    assert_eq!(buffer.capacity(), buffer.len(), "exactly, at the end");
                }
            }
        }
    }
}
