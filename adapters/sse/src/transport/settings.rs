use std::time::Duration;

use crate::stream::EventStream;

/// How connections over event streams behave, besides the limits that all connections have.
///
/// ```
/// use std::time::Duration;
/// use crossws_sse::StreamSettings;
///
/// let settings = StreamSettings::default()
///     .grace(Duration::from_secs(60))
///     .retained(256 << 10);
/// # let _ = settings;
/// ```
#[derive(Debug, Clone)]
pub struct StreamSettings {
    pub(crate) grace: Duration,
    pub(crate) retained: usize,
    pub(crate) keep_alive: Duration,
    pub(crate) padding: usize,
    pub(crate) retry: Option<Duration>,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(30),
            retained: 64 << 10,
            keep_alive: EventStream::KEEP_ALIVE,
            padding: 0,
            retry: None,
        }
    }
}

/// The setters of [`StreamSettings`], for it and for what has them in this field.
macro_rules! stream_setters {
    ($($field:ident).*) => {
        /// Sets how long a connection waits for a client whose stream was cut. Meanwhile its messages
        /// are queued, within the limits of every queue. Default 30 s.
        #[must_use]
        pub fn grace(mut self, grace: std::time::Duration) -> Self {
            self.$($field.)*grace = grace;
            self
        }

        /// Sets how many bytes of written events are kept for a client that has not read them when
        /// its stream is cut. A client that has missed more gets a new connection. Default 64 KiB.
        #[must_use]
        pub fn retained(mut self, bytes: usize) -> Self {
            self.$($field.)*retained = bytes;
            self
        }

        /// Sets the time of a stream without events, after which it carries a comment. A server
        /// notices a client that has silently gone only when it writes. Default 15 s; zero means the
        /// default too.
        #[must_use]
        pub fn keep_alive(mut self, every: std::time::Duration) -> Self {
            self.$($field.)*keep_alive = match every.is_zero() {
                true => $crate::EventStream::KEEP_ALIVE,
                false => every,
            };
            self
        }

        /// Begins each stream with a comment of this many bytes: see
        /// [`EventStream::padding`](crate::EventStream::padding).
        #[must_use]
        pub fn padding(mut self, bytes: usize) -> Self {
            self.$($field.)*padding = bytes;
            self
        }

        /// Sets how long the client waits before it reconnects. By default the client decides.
        #[must_use]
        pub fn retry(mut self, retry: std::time::Duration) -> Self {
            self.$($field.)*retry = Some(retry);
            self
        }
    };
}
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use stream_setters;

impl StreamSettings {
    /// Returns the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    stream_setters!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keep_alive_of_zero_is_the_default_as_of_a_plain_stream() {
        let settings = StreamSettings::new().keep_alive(Duration::ZERO);
        assert_eq!(settings.keep_alive, EventStream::KEEP_ALIVE);
    }
}
