use std::fmt;
use std::hint::black_box;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// A connection's number, and a secret that proves the right to use it. As text, it is what the
/// client has.
#[derive(Clone, Copy)]
pub(crate) struct Key<const N: usize> {
    pub(crate) serial: u64,
    secret: [u8; N],
}

impl<const N: usize> Key<N> {
    /// Creates a key of the system's randomness.
    pub(crate) fn random(serial: u64) -> Result<Self, getrandom::Error> {
        let mut secret = [0; N];
        getrandom::fill(&mut secret)?;
        Ok(Self { serial, secret })
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (serial, secret) = bytes.split_first_chunk()?;
        Some(Self {
            serial: u64::from_be_bytes(*serial),
            secret: secret.try_into().ok()?,
        })
    }

    /// Compares the secrets, in a time that does not depend on them.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        let pairs = self.secret.iter().zip(&other.secret);
        black_box(pairs.fold(0, |differ, (one, other)| differ | (one ^ other))) == 0
    }
}

impl<const N: usize> fmt::Display for Key<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.serial.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.secret);
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// It is a secret.
impl<const N: usize> fmt::Debug for Key<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, ..)", self.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_matches_itself_alone() {
        let key = Key::<32>::random(7).unwrap();
        let read = Key::parse(&key.to_string()).unwrap();
        assert!(read.serial == 7 && read.matches(&key));
        for byte in 0..32 {
            let mut other = key;
            other.secret[byte] ^= 1;
            assert!(!other.matches(&key));
        }
        for text in ["", "x", "====", &key.to_string()[1..], &format!("{key}AA")] {
            assert!(Key::<32>::parse(text).is_none(), "{text}");
        }
        assert!(!format!("{key:?}").contains(&key.to_string()));
    }
}
