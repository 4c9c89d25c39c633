use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::Utf8Error;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

/// Text that shares its storage: a reference-counted UTF-8 string.
///
/// Cloning copies a pointer. It is the payload of a text message and the reason of a close frame.
///
/// ```
/// # use crossws_core::*;
/// let text = Utf8Bytes::from("hello");
/// let same = text.clone(); // a pointer
/// assert_eq!(&*same, "hello");
/// assert_eq!(Message::from(text).text()?, "hello");
/// # Ok::<_, std::str::Utf8Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Utf8Bytes {
    text: ByteString,
    /// A value that a layer has decoded from the text; see [`Message::decoded`](crate::Message::decoded).
    /// One pointer, because most texts have none.
    decoded: Option<Arc<Decoded>>,
}

/// On every target it may cross threads, as texts do.
struct Decoded(Box<dyn Any + Send + Sync>);

impl Utf8Bytes {
    /// Creates a text from a static string; allocates nothing.
    pub const fn from_static(text: &'static str) -> Self {
        Self::new(ByteString::from_static(text))
    }

    const fn new(text: ByteString) -> Self {
        let decoded = None;
        Self { text, decoded }
    }

    pub(super) fn decoded<T: 'static>(&self) -> Option<&T> {
        self.decoded.as_ref()?.0.downcast_ref()
    }

    pub(super) fn set_decoded<T: Send + Sync + 'static>(&mut self, value: T) {
        self.decoded = Some(Arc::new(Decoded(Box::new(value))));
    }

    pub(super) fn forget_decoded(&mut self) {
        self.decoded = None;
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the text's bytes, shared.
    pub fn as_bytes(&self) -> &Bytes {
        self.text.as_bytes()
    }

    /// Returns the text's bytes, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.text.into_bytes()
    }
}

impl Deref for Utf8Bytes {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl AsRef<str> for Utf8Bytes {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Display for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl From<String> for Utf8Bytes {
    fn from(text: String) -> Self {
        Self::new(text.into())
    }
}

impl From<&str> for Utf8Bytes {
    #[inline]
    fn from(text: &str) -> Self {
        Self::new(text.into())
    }
}

impl TryFrom<Bytes> for Utf8Bytes {
    type Error = Utf8Error;

    /// Checks the bytes once; they are not copied.
    fn try_from(bytes: Bytes) -> Result<Self, Utf8Error> {
        ByteString::try_from(bytes).map(Self::new)
    }
}

impl PartialEq for Utf8Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Utf8Bytes {}

impl PartialOrd for Utf8Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Utf8Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for Utf8Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialEq<str> for Utf8Bytes {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Utf8Bytes {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}
