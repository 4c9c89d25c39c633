/// A limit that a client broke: the source of the `error` hook's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A message is larger than `Limits::max_message_size`; the connection closes with 1009.
    #[error("a message of {len} bytes, at most {most} are allowed")]
    #[non_exhaustive]
    MessageTooBig {
        /// The message's length in bytes.
        len: usize,
        /// The largest length allowed.
        most: usize,
    },
    /// More control frames in a second than `Limits::max_control_rate`; the connection closes
    /// with 1008.
    #[error("more than {most} control frames in one second")]
    #[non_exhaustive]
    TooManyControlFrames {
        /// The most allowed.
        most: usize,
    },
}
