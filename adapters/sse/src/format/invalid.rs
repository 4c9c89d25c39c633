/// A field of an [`Event`](crate::Event) that the format cannot carry. Nothing was sent.
///
/// ```
/// use crossws_sse::Event;
///
/// let forged = Event::new("hello").event("update\ndata: forged");
/// assert!(forged.encode().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// The id contains NUL. Clients ignore such an id, and would later resume from an older one.
    #[error("the event's id contains NUL")]
    IdHasNul,
    /// The id contains CR or LF, which would end its line.
    #[error("the event's id contains CR or LF")]
    IdHasLineEnd,
    /// The name contains NUL, which no listener's name has.
    #[error("the event's name contains NUL")]
    NameHasNul,
    /// The name contains CR or LF, which would end its line.
    #[error("the event's name contains CR or LF")]
    NameHasLineEnd,
}
