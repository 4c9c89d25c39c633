use smallvec::SmallVec;

/// Route parameters: the values that a route's pattern matched, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
// A pointer, because every peer has them and most are empty; then there are none.
pub struct Params(Option<Box<Pairs>>);

/// Names and values one after the other, in one allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Pairs {
    text: String,
    /// Where each name and each value ends.
    ends: SmallVec<[usize; 2]>,
}

impl Pairs {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    /// Returns the text that ends there, and begins at the previous end.
    fn text(&self, at: usize) -> &str {
        let end = |at: usize| self.ends.get(at).copied();
        let begin = at.checked_sub(1).and_then(end).unwrap_or_default();
        let range = begin..end(at).unwrap_or(begin);
        self.text.get(range).unwrap_or_default()
    }
}

impl Params {
    /// Returns the value of one parameter.
    ///
    /// ```
    /// # use crossws_core::*;
    /// let params: Params = [("room", "7")].into_iter().collect();
    /// assert_eq!(params.get("room"), Some("7"));
    /// ```
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Returns all parameters, in the pattern's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|pairs| {
            let count = pairs.ends.len() / 2;
            (0..count).map(|index| (pairs.text(2 * index), pairs.text(2 * index + 1)))
        })
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        /// Most have a short name and a short value.
        const SHORT: usize = 24;
        let mut params = None;
        for (name, value) in pairs {
            let pairs: &mut Box<Pairs> = params.get_or_insert_with(|| {
                Box::new(Pairs {
                    text: String::with_capacity(SHORT),
                    ends: SmallVec::new(),
                })
            });
            pairs.push(name.as_ref());
            pairs.push(value.as_ref());
        }
        Self(params)
    }
}
