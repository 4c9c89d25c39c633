use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A peer's id on its hub: a random UUID, version 4 (RFC 9562), unless the upgrade hook chose
/// another. It is public: knowing an id must not authorise any action.
///
/// ```
/// # use crossws_core::*;
/// let id: PeerId = "67e55044-10b1-426f-9247-bb680e5fe0c8".parse()?;
/// assert_eq!(id.to_string(), "67e55044-10b1-426f-9247-bb680e5fe0c8");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerId(Uuid);

impl PeerId {
    /// Returns a new random id.
    ///
    /// # Panics
    /// If the system has no randomness.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Creates the id with these 128 bits.
    ///
    /// ```
    /// # use crossws_core::*;
    /// assert_eq!(PeerId::from_u128(7).as_u128(), 7);
    /// ```
    pub const fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// Returns the id's 128 bits.
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }
}

/// Writes the usual lower-case form with hyphens.
impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl FromStr for PeerId {
    type Err = InvalidPeerId;

    fn from_str(text: &str) -> Result<Self, InvalidPeerId> {
        text.parse().map(Self).map_err(InvalidPeerId)
    }
}

/// A text that is not a UUID.
///
/// ```
/// # use crossws_core::*;
/// let id: Result<PeerId, InvalidPeerId> = "ann".parse();
/// assert_eq!(id.unwrap_err().to_string(), "not a peer id");
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[error("not a peer id")]
pub struct InvalidPeerId(#[source] uuid::Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_is_of_version_4() {
        for _ in 0..100 {
            let id = PeerId::random();
            assert_eq!(id.0.get_version_num(), 4, "{id}");
            assert_eq!(id.0.get_variant(), uuid::Variant::RFC4122, "{id}");
        }
    }
}
