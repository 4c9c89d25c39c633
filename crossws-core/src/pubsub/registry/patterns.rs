//! Which of many patterns match a topic's name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::pubsub::pattern::{ONE, REST};

/// The patterns with subscribers in a namespace, each with its value.
pub(crate) struct Patterns<T> {
    by_name: BTreeMap<Arc<str>, T>,
    root: Node<T>,
}

/// The continuations of the patterns with one prefix.
struct Node<T> {
    literal: HashMap<Box<str>, Node<T>>,
    /// After `*`.
    one: Option<Box<Node<T>>>,
    /// The pattern that ends here.
    end: Option<T>,
    /// The pattern that ends in `**` here.
    rest: Option<T>,
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self {
            by_name: BTreeMap::new(),
            root: Node::default(),
        }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literal: HashMap::new(),
            one: None,
            end: None,
            rest: None,
        }
    }
}

impl<T: Clone> Patterns<T> {
    pub(crate) fn get(&self, pattern: &str) -> Option<&T> {
        self.by_name.get(pattern)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Adds a valid pattern that is not present yet.
    pub(crate) fn insert(&mut self, pattern: Arc<str>, value: T) {
        *self.root.place(&pattern) = Some(value.clone());
        self.by_name.insert(pattern, value);
    }

    pub(crate) fn remove(&mut self, pattern: &str) -> Option<T> {
        let value = self.by_name.remove(pattern)?;
        self.root.remove(pattern.split('/'));
        Some(value)
    }

    /// Adds the patterns that match a topic's name.
    pub(crate) fn matching(&self, name: &str, into: &mut impl Extend<T>) {
        self.root.matching(Some(name), into);
    }
}

impl<T: Clone> Node<T> {
    fn place(&mut self, pattern: &str) -> &mut Option<T> {
        let mut node = self;
        for segment in pattern.split('/') {
            node = match segment {
                REST => return &mut node.rest,
                ONE => node.one.get_or_insert_default(),
                _ => node.literal.entry(Box::from(segment)).or_default(),
            };
        }
        &mut node.end
    }

    /// Removes a pattern, and the nodes that only it used.
    fn remove<'p>(&mut self, mut segments: impl Iterator<Item = &'p str>) {
        match segments.next() {
            None => self.end = None,
            Some(REST) => self.rest = None,
            Some(ONE) => {
                if let Some(next) = &mut self.one {
                    next.remove(segments);
                    if next.is_empty() {
                        self.one = None;
                    }
                }
            }
            Some(segment) => {
                if let Some(next) = self.literal.get_mut(segment) {
                    next.remove(segments);
                    if next.is_empty() {
                        self.literal.remove(segment);
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.literal.is_empty() && self.one.is_none() && self.end.is_none() && self.rest.is_none()
    }

    /// Recurses at most as deep as the longest pattern.
    fn matching(&self, name: Option<&str>, into: &mut impl Extend<T>) {
        let Some(name) = name else {
            into.extend(self.end.clone());
            return;
        };
        let (segment, after) = match name.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (name, None),
        };
        into.extend(self.rest.clone());
        if let Some(next) = &self.one {
            next.matching(after, into);
        }
        if !self.literal.is_empty()
            && let Some(next) = self.literal.get(segment)
        {
            next.matching(after, into);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pubsub::pattern::{TopicPattern, check_pattern};

    fn patterns(names: &[&str]) -> Patterns<Arc<str>> {
        let mut patterns = Patterns::default();
        for name in names {
            check_pattern(name).unwrap();
            patterns.insert(Arc::from(*name), Arc::from(*name));
        }
        patterns
    }

    fn matching(patterns: &Patterns<Arc<str>>, name: &str) -> Vec<String> {
        let mut found: Vec<Arc<str>> = Vec::new();
        patterns.matching(name, &mut found);
        found.sort();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_star_is_one_segment_and_two_are_the_rest() {
        let patterns = patterns(&[
            "*",
            "**",
            "room/*",
            "room/**",
            "*/1",
            "room/*/log",
            "a/b/**",
            "*/*",
        ]);
        for (name, expected) in [
            ("room", &["*", "**"][..]),
            ("", &["*", "**"]),
            ("room/1", &["**", "*/*", "*/1", "room/*", "room/**"]),
            ("room/", &["**", "*/*", "room/*", "room/**"]),
            ("room/1/log", &["**", "room/**", "room/*/log"]),
            ("room/1/2/3/4/5/6/7/8/9", &["**", "room/**"]),
            ("a/b", &["**", "*/*"]),
            ("a/b/c", &["**", "a/b/**"]),
            ("*", &["*", "**"]),
        ] {
            assert_eq!(matching(&patterns, name), expected, "{name}");
            for pattern in patterns.names() {
                let matches = TopicPattern::new(&**pattern).unwrap().matches(name);
                assert_eq!(matches, expected.contains(&&**pattern), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn a_pattern_that_is_gone_leaves_nothing() {
        let names = ["*", "a/*", "a/*/b", "a/**", "a/*/c"];
        let mut patterns = patterns(&names);
        assert_eq!(matching(&patterns, "a/x/b"), ["a/**", "a/*/b"]);
        patterns.remove("a/*/b").unwrap();
        assert!(patterns.remove("a/*/b").is_none());
        assert_eq!(matching(&patterns, "a/x/b"), ["a/**"]);
        assert_eq!(matching(&patterns, "a/x/c"), ["a/**", "a/*/c"]);
        for name in ["*", "a/*", "a/**", "a/*/c"] {
            patterns.remove(name).unwrap();
        }
        assert!(patterns.is_empty() && patterns.root.is_empty());
    }

    /// Tries all ways to write one name of eight segments as a pattern, none of which ends as the
    /// name does.
    #[test]
    fn a_look_up_takes_bounded_work_among_patterns_that_nearly_match() {
        let mut patterns = patterns(&[]);
        for bits in 0..128_u32 {
            let segments = (0..7).map(|bit| if bits >> bit & 1 == 1 { "*" } else { "a" });
            for end in ["b", "c", "*"] {
                let name = segments.clone().chain([end]).collect::<Vec<_>>().join("/");
                if check_pattern(&name).is_ok() && end != "*" {
                    let name: Arc<str> = Arc::from(name);
                    patterns.insert(Arc::clone(&name), name);
                }
            }
        }
        let name = "a/".repeat(120);
        assert_eq!(matching(&patterns, &name), [""; 0]);
        assert_eq!(matching(&patterns, "a/a/a/a/a/a/a/c").len(), 127);
    }
}
