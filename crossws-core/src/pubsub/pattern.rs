//! Patterns of topic names: which are valid, and which names match.

use std::sync::Arc;

/// Most segments of a pattern. A publication visits at most `2^MAX_SEGMENTS` nodes, however many
/// patterns there are.
const MAX_SEGMENTS: usize = 8;

pub(super) const ONE: &str = "*";
pub(super) const REST: &str = "**";

/// Why a pattern of topics is invalid.
///
/// ```
/// # use crossws_core::*;
/// assert_eq!(TopicPattern::new("room/a*").unwrap_err(), InvalidPattern::PartOfSegment);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPattern {
    /// No segment is `*` or `**`.
    #[error("a pattern needs a segment `*` or `**`; a topic is subscribed to with `subscribe`")]
    NoWildcard,
    /// A `*` together with other characters in one segment.
    #[error("`*` and `**` stand for whole segments, between slashes")]
    PartOfSegment,
    /// Segments after `**`.
    #[error("`**` must be the last segment")]
    NotLast,
    /// More than eight segments.
    #[error("a pattern has at most {MAX_SEGMENTS} segments")]
    TooLong,
}

/// One topic by its name, or all topics that match a pattern. See
/// [`Peer::subscribe_pattern`](crate::Peer::subscribe_pattern) for the syntax.
///
/// ```
/// # use crossws_core::*;
/// let rooms = TopicPattern::new("room/*")?;
/// assert!(rooms.matches("room/7"));
/// assert!(!rooms.matches("room/7/log"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPattern(Arc<str>);

impl TopicPattern {
    /// Creates the pattern for the topic of this name, or for the topics that match.
    ///
    /// ```
    /// # use crossws_core::*;
    /// assert!(TopicPattern::new("room/**/log").is_err());
    /// ```
    ///
    /// # Errors
    /// If it has a `*` and is no valid pattern.
    pub fn new(pattern: impl Into<Arc<str>>) -> Result<Self, InvalidPattern> {
        let pattern = pattern.into();
        match check_pattern(&pattern) {
            Err(InvalidPattern::NoWildcard) | Ok(()) => Ok(Self(pattern)),
            Err(error) => Err(error),
        }
    }

    /// Returns whether a segment of this name is `*` or `**`.
    ///
    /// ```
    /// # use crossws_core::*;
    /// assert!(TopicPattern::is_pattern("room/*"));
    /// assert!(!TopicPattern::is_pattern("room/7"));
    /// ```
    pub fn is_pattern(name: &str) -> bool {
        name.split('/').any(|segment| matches!(segment, ONE | REST))
    }

    /// Returns whether a topic's name matches.
    pub fn matches(&self, topic: &str) -> bool {
        let (mut pattern, mut segments) = (self.0.split('/'), topic.split('/'));
        loop {
            match (pattern.next(), segments.next()) {
                (None, None) => return true,
                (Some(REST), Some(_)) => return true,
                (Some(ONE), Some(_)) => {}
                (Some(expected), Some(segment)) if expected == segment => {}
                _ => return false,
            }
        }
    }
}

/// Checks a pattern that has wildcards.
pub(crate) fn check_pattern(pattern: &str) -> Result<(), InvalidPattern> {
    let mut has_wildcard = false;
    let mut ended = false;
    let mut count = 0;
    for segment in pattern.split('/') {
        if ended {
            return Err(InvalidPattern::NotLast);
        }
        count += 1;
        match segment {
            ONE => has_wildcard = true,
            REST => (has_wildcard, ended) = (true, true),
            _ if segment.contains('*') => return Err(InvalidPattern::PartOfSegment),
            _ => {}
        }
    }
    match has_wildcard {
        true if count > MAX_SEGMENTS => Err(InvalidPattern::TooLong),
        true => Ok(()),
        false => Err(InvalidPattern::NoWildcard),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pattern_is_named() {
        use InvalidPattern::*;
        for (pattern, error) in [
            ("room/1", NoWildcard),
            ("", NoWildcard),
            ("room*", PartOfSegment),
            ("***", PartOfSegment),
            ("a/**/b", NotLast),
            ("1/2/3/4/5/6/7/8/*", TooLong),
        ] {
            assert_eq!(check_pattern(pattern), Err(error), "{pattern}");
        }
        check_pattern("1/2/3/4/5/6/7/**").unwrap();
    }
}
