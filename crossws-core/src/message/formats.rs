use std::sync::Arc;

use crate::message::Message;

/// A message in further formats, for the clients of these subprotocols: see
/// [`To::send_formats`](crate::To::send_formats).
#[doc(hidden)]
#[derive(Debug, Clone, Default)]
pub struct Formats(Vec<(Arc<str>, Message)>);

impl Formats {
    /// Returns what a client of this subprotocol reads: the message itself, if there is no format of
    /// its own.
    pub fn of<'m>(&'m self, protocol: Option<&str>, message: &'m Message) -> &'m Message {
        let mut others = self.0.iter();
        let own = others.find(|(name, _)| protocol == Some(&**name));
        own.map_or(message, |(_, own)| own)
    }

    /// Returns each subprotocol with its format.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Message)> {
        self.0.iter().map(|(name, message)| (&**name, message))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the length of all of them, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|(_, message)| message.len()).sum()
    }
}

impl FromIterator<(Arc<str>, Message)> for Formats {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Message)>>(formats: I) -> Self {
        Self(formats.into_iter().collect())
    }
}
