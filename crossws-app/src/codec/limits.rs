use crossws_core::DecodeError;

/// Limits of a message's content, whatever its format: they bound the work and the memory that a
/// decoder spends on a client's behalf. The connection's limit `max_message_size` bounds the length
/// of a message.
///
/// Arrays of empty values are the reason why a bound of the length is not enough: one or two bytes
/// of a message can become an element of any size.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// let limits = DecodeLimits::new().max_depth(16).max_items(1_000);
/// assert_eq!(limits.max_depth, 16);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeLimits {
    /// How deep sequences, maps, options and enums may be nested. Default 64.
    pub max_depth: usize,
    /// How many elements of sequences and entries of maps a message may have in total. Default
    /// 65,536.
    pub max_items: usize,
}

impl DecodeLimits {
    /// Creates the default limits.
    pub const fn new() -> Self {
        Self {
            max_depth: 64,
            max_items: 65_536,
        }
    }

    /// Sets how deep sequences, maps, options and enums may be nested. Default 64.
    #[must_use]
    pub const fn max_depth(mut self, most: usize) -> Self {
        self.max_depth = most;
        self
    }

    /// Sets how many elements of sequences and entries of maps a message may have in total. Default 65,536.
    #[must_use]
    pub const fn max_items(mut self, most: usize) -> Self {
        self.max_items = most;
        self
    }
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// A limit of [`DecodeLimits`] that a message exceeded.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// let limits = DecodeLimits::new().max_depth(1);
/// let nested: Result<Vec<Vec<u8>>, _> = JsonCodec.decode(&"[[]]".into(), &limits);
/// let error = nested.unwrap_err();
/// assert_eq!(LimitExceeded::of(&error), Some(LimitExceeded::Depth(1)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// [`DecodeLimits::max_depth`](field@DecodeLimits::max_depth).
    #[error("it is nested deeper than {0} levels")]
    Depth(usize),
    /// [`DecodeLimits::max_items`](field@DecodeLimits::max_items).
    #[error("it has more than {0} elements and entries")]
    Items(usize),
}

impl LimitExceeded {
    /// Returns the limit that a message exceeded, if that is the cause of a decode error.
    pub fn of(error: &DecodeError) -> Option<Self> {
        std::error::Error::source(error)?.downcast_ref().copied()
    }
}
