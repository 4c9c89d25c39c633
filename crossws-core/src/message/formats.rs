use std::sync::Arc;

use crate::message::Message;
use crate::message::send::SendOptions;
use crate::pubsub::publication::Publication;

/// A message in further formats, each for the clients of one subprotocol. A platform stores them with a
/// [retained message](crate::adapter::RetainedMessage::others).
///
/// ```
/// # use crossws_core::{Message, adapter::Formats};
/// let others = Formats::from_iter([("chat.upper".into(), Message::from("HELLO"))]);
/// let first = Message::from("hello");
/// assert_eq!(others.of(Some("chat.upper"), &first), &Message::from("HELLO"));
/// assert_eq!(others.of(None, &first), &first);
/// ```
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

    /// Returns the publication of each, with these options.
    pub(crate) fn publications(self, options: &SendOptions) -> Vec<InFormat> {
        let publication = |message| Publication::with(message, options.clone());
        let formats = self.0.into_iter();
        formats
            .map(|(name, message)| (name, publication(message)))
            .collect()
    }
}

impl FromIterator<(Arc<str>, Message)> for Formats {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Message)>>(formats: I) -> Self {
        Self(formats.into_iter().collect())
    }
}

/// A publication for the clients of a subprotocol.
pub(crate) type InFormat = (Arc<str>, Publication);

/// A publication in each format that its recipients read.
#[derive(Clone, Copy)]
pub(crate) struct InFormats<'p> {
    /// For clients whose subprotocol has no format of its own.
    pub(crate) first: &'p Publication,
    pub(crate) others: &'p [InFormat],
}

impl<'p> From<&'p Publication> for InFormats<'p> {
    fn from(first: &'p Publication) -> Self {
        Self { first, others: &[] }
    }
}

impl<'p> InFormats<'p> {
    /// Returns what a client of this subprotocol reads, which is asked for if it matters.
    #[inline]
    pub(crate) fn of<'a>(self, protocol: impl FnOnce() -> Option<&'a str>) -> &'p Publication {
        if self.others.is_empty() {
            return self.first;
        }
        let protocol = protocol();
        let mut others = self.others.iter();
        let own = others.find(|(name, _)| protocol == Some(&**name));
        own.map_or(self.first, |(_, own)| own)
    }

    /// Returns whether there is one format, whose options treat all recipients alike.
    pub(crate) fn treats_all_alike(self) -> bool {
        self.others.is_empty() && self.first.options().treats_all_alike()
    }

    /// Returns the messages of the formats after the first.
    pub(crate) fn others(self) -> Formats {
        let message =
            |(name, publication): &InFormat| (Arc::clone(name), publication.message().clone());
        self.others.iter().map(message).collect()
    }

    /// Returns the length of the message in all formats, in bytes.
    pub(crate) fn len(self) -> usize {
        let others = self.others.iter().map(|(_, publication)| publication);
        let all = std::iter::once(self.first).chain(others);
        all.map(|publication| publication.message().len()).sum()
    }
}
