//! Masking (RFC 6455 section 5.3).

use std::cell::RefCell;

use bytes::BytesMut;

/// How many bytes of keys a thread asks the system for at a time. A system call takes some 460 ns, and
/// one for 256 keys some 12 ns for each: a call for each frame would cost more than the frame.
const AHEAD: usize = 1024;

thread_local! {
    /// Random bytes, and how many of them, from the front, have been used.
    static KEYS: RefCell<(usize, [u8; AHEAD])> = const { RefCell::new((AHEAD, [0; AHEAD])) };
}

/// Masks or unmasks a payload: both are the same operation.
#[inline]
pub(crate) fn apply(bytes: &mut [u8], key: [u8; 4]) {
    let half = u64::from(u32::from_ne_bytes(key));
    let word = half << 32 | half;
    // In words, which the compiler vectorizes.
    let (words, rest) = bytes.as_chunks_mut();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(word.to_ne_bytes()) {
        *byte ^= key;
    }
}

/// Appends a payload, masked: in one pass, where a copy that is masked afterwards takes two.
pub(crate) fn put(buf: &mut BytesMut, payload: &[u8], key: [u8; 4]) {
    // A multiple of a key's length, and what four registers hold.
    const BLOCK: usize = 64;
    let (blocks, rest) = payload.as_chunks::<BLOCK>();
    for block in blocks {
        let mut block = *block;
        apply(&mut block, key);
        buf.extend_from_slice(&block);
    }
    if rest.is_empty() {
        return;
    }
    let start = buf.len();
    buf.extend_from_slice(rest);
    apply(buf.get_mut(start..).unwrap_or_default(), key);
}

/// Returns the key for what follows `count` masked bytes.
pub(crate) fn advance(mut key: [u8; 4], count: usize) -> [u8; 4] {
    key.rotate_left(count % 4);
    key
}

/// Returns an unpredictable key from the system's random source, for one frame. RFC 6455 section 10.3
/// says what a predictable one costs.
///
/// # Errors
/// When the system's random source fails.
pub(crate) fn fresh_key() -> Result<[u8; 4], getrandom::Error> {
    KEYS.with_borrow_mut(|(used, keys)| {
        if *used >= AHEAD {
            getrandom::fill(keys)?;
            *used = 0;
        }
        let key = keys.get(*used..).and_then(|rest| rest.first_chunk());
        *used += size_of::<[u8; 4]>();
        // `AHEAD` is a multiple of a key's length.
        Ok(key.copied().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_length_and_every_cut_masks_as_the_rfc_says() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let one_in = if cfg!(miri) { 3 } else { 1 };
        for len in (0..70).step_by(one_in) {
            let plain: Vec<u8> = (0..len).collect();
            let expected: Vec<u8> = plain
                .iter()
                .zip(key.iter().cycle())
                .map(|(a, b)| a ^ b)
                .collect();
            for cut in 0..=plain.len() {
                let mut bytes = plain.clone();
                let (head, tail) = bytes.split_at_mut(cut);
                apply(head, key);
                apply(tail, advance(key, cut));
                assert_eq!(bytes, expected, "{len} {cut}");
            }
        }
    }

    #[test]
    fn a_payload_is_masked_while_it_is_appended() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for len in [0, 1, 63, 64, 65, 200, 1024] {
            let plain: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let mut buf = BytesMut::from(&b"before"[..]);
            put(&mut buf, &plain, key);
            let mut expected = plain;
            apply(&mut expected, key);
            assert_eq!(buf[6..], expected, "{len}");
        }
    }

    #[test]
    fn keys_differ() {
        let keys: HashSet<_> = (0..1000).map(|_| fresh_key().unwrap()).collect();
        // Of 2^32 keys, a thousand collide once in 8,600 runs; three times in none.
        assert!(keys.len() >= 998);
    }
}
