/// Returns whether text is this word, ignoring the case of letters. The word is in lower case, and
/// consists of letters, digits and hyphens, as a header's name does. Compares eight bytes at a time: a
/// handshake has many names and tokens.
#[inline]
pub fn is_word(text: &[u8], word: &[u8]) -> bool {
    /// The bit that distinguishes a letter's cases. The bit above it distinguishes letters from hyphens
    /// and digits.
    const CASE: u64 = 0x2020_2020_2020_2020;
    let is_same = |text: u64, word: u64| (text ^ word) & !(word >> 1 & CASE) == 0;
    if text.len() != word.len() {
        return false;
    }
    match (end(text), end(word)) {
        (Some(end), Some(of_word)) if is_same(end, of_word) => {
            let mut both = text.as_chunks().0.iter().zip(word.as_chunks().0);
            both.all(|(text, word)| is_same(u64::from_ne_bytes(*text), u64::from_ne_bytes(*word)))
        }
        (Some(_), _) => false,
        (None, _) => text.eq_ignore_ascii_case(word),
    }
}

/// Returns the last eight bytes, or all of at least four.
#[inline]
fn end(bytes: &[u8]) -> Option<u64> {
    if let Some(last) = bytes.last_chunk() {
        return Some(u64::from_ne_bytes(*last));
    }
    let half = |bytes: &[u8; 4]| u64::from(u32::from_ne_bytes(*bytes));
    Some(half(bytes.first_chunk()?) << 32 | half(bytes.last_chunk()?))
}

/// Returns whether a name is a token (RFC 9110 section 5.6.2), as the name of a subprotocol must be.
pub fn is_token(name: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_of_a_word_does_not_matter_and_every_other_bit_does() {
        for word in ["te", "host", "upgrade", "x-real-1", "sec-websocket-version"] {
            assert!(is_word(
                word.to_ascii_uppercase().as_bytes(),
                word.as_bytes()
            ));
            assert!(!is_word(&word.as_bytes()[1..], word.as_bytes()));
            for (at, bit) in (0..word.len()).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit))) {
                let mut other = word.as_bytes().to_vec();
                other[at] ^= bit;
                let is_same = other.eq_ignore_ascii_case(word.as_bytes());
                assert_eq!(is_word(&other, word.as_bytes()), is_same, "{other:?}");
            }
        }
    }
}
