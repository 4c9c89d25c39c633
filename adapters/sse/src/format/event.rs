use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossws_core::EncodeError;
use serde::Serialize;

use crate::format::invalid::InvalidEvent;
use crate::format::lines::{put_field, put_lines};

/// One event of a stream. A text is an event without a name or an id: `"hello".into()`.
///
/// ```
/// # use std::time::Duration;
/// use crossws_sse::Event;
///
/// let event = Event::new("first line\nsecond line")
///     .event("update")
///     .id(7)
///     .retry(Duration::from_secs(3));
/// assert_eq!(
///     event.encode()?,
///     "event: update\nid: 7\nretry: 3000\ndata: first line\ndata: second line\n\n"
/// );
/// # Ok::<_, crossws_sse::InvalidEvent>(())
/// ```
///
/// The data may be any text. CR LF, LF and CR in it each end a line, and the client reads the lines
/// joined by LF: no text can end the event or forge another. Ids and names that the format cannot
/// carry are an [`InvalidEvent`] when the event is pushed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    data: Option<String>,
    name: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
}

impl Event {
    /// Creates an event with this data, which the client dispatches as `message`.
    ///
    /// [`Event::default`] has no data: the client notes its id and its time to retry, and
    /// dispatches nothing.
    pub fn new(data: impl Into<String>) -> Self {
        Self {
            data: Some(data.into()),
            ..Self::default()
        }
    }

    /// Creates an event whose data is the JSON of a value.
    ///
    /// # Errors
    /// When the value has no JSON.
    pub fn json(value: impl Serialize) -> Result<Self, EncodeError> {
        let json = serde_json::to_string(&value).map_err(EncodeError::new)?;
        Ok(Self::new(json))
    }

    /// Sets the name, for which the client listens. Default `message`, also if the name is empty.
    #[must_use]
    pub fn event(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the id. A client that reconnects sends the id of the last event that it has read, as
    /// [`Last-Event-ID`](crate::EventStream::last_event_id). An empty one makes the client forget
    /// the last id.
    #[must_use]
    pub fn id(mut self, id: impl fmt::Display) -> Self {
        self.id = Some(id.to_string());
        self
    }

    /// Sets how long the client waits before it reconnects, from now on. In whole milliseconds.
    #[must_use]
    pub fn retry(mut self, retry: Duration) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Returns the event as a client reads it.
    ///
    /// # Errors
    /// [`InvalidEvent`] names the field that the format cannot carry.
    pub fn encode(&self) -> Result<Bytes, InvalidEvent> {
        self.check()?;
        let mut to = BytesMut::new();
        if let Some(name) = &self.name {
            put_field(&mut to, "event", name);
        }
        if let Some(id) = &self.id {
            put_field(&mut to, "id", id);
        }
        if let Some(retry) = self.retry {
            put_field(&mut to, "retry", &retry.as_millis().to_string());
        }
        if let Some(data) = &self.data {
            put_lines(&mut to, "data", data);
        }
        to.extend_from_slice(b"\n");
        Ok(to.freeze())
    }

    fn check(&self) -> Result<(), InvalidEvent> {
        let has = |text: &Option<String>, chars: &[char]| {
            text.as_ref().is_some_and(|text| text.contains(chars))
        };
        if has(&self.id, &['\0']) {
            return Err(InvalidEvent::IdHasNul);
        }
        if has(&self.id, &['\r', '\n']) {
            return Err(InvalidEvent::IdHasLineEnd);
        }
        if has(&self.name, &['\0']) {
            return Err(InvalidEvent::NameHasNul);
        }
        if has(&self.name, &['\r', '\n']) {
            return Err(InvalidEvent::NameHasLineEnd);
        }
        Ok(())
    }
}

impl From<&str> for Event {
    fn from(data: &str) -> Self {
        Self::new(data)
    }
}

impl From<String> for Event {
    fn from(data: String) -> Self {
        Self::new(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(event: Event) -> String {
        String::from_utf8(event.encode().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn every_end_of_a_line_begins_a_data_field() {
        for (data, lines) in [
            ("", "data: \n\n"),
            ("a", "data: a\n\n"),
            ("a\nb", "data: a\ndata: b\n\n"),
            ("a\r\nb", "data: a\ndata: b\n\n"),
            ("a\rb", "data: a\ndata: b\n\n"),
            ("a\n\rb", "data: a\ndata: \ndata: b\n\n"),
            ("a\r\r\nb\n", "data: a\ndata: \ndata: b\ndata: \n\n"),
            (" a", "data:  a\n\n"),
            (
                "x\r\revent: forged",
                "data: x\ndata: \ndata: event: forged\n\n",
            ),
        ] {
            assert_eq!(encoded(data.into()), lines, "{data:?}");
        }
    }

    #[test]
    fn an_event_without_data_has_its_other_fields() {
        assert_eq!(encoded(Event::default().id("")), "id: \n\n");
        let retry = Event::default().retry(Duration::MAX);
        assert_eq!(encoded(retry), format!("retry: {}999\n\n", u64::MAX));
    }

    #[test]
    fn a_field_that_the_format_cannot_carry_is_refused_by_name() {
        for (event, error) in [
            (Event::new("").id("a\0b"), InvalidEvent::IdHasNul),
            (Event::new("").id("1\ndata: x"), InvalidEvent::IdHasLineEnd),
            (Event::new("").id("1\r"), InvalidEvent::IdHasLineEnd),
            (Event::new("").event("a\0b"), InvalidEvent::NameHasNul),
            (Event::new("").event("a\nb"), InvalidEvent::NameHasLineEnd),
            (Event::new("").event("a\rb"), InvalidEvent::NameHasLineEnd),
        ] {
            assert_eq!(event.encode(), Err(error), "{event:?}");
        }
        // NUL is a character like others in data.
        assert_eq!(encoded(Event::new("\0")), "data: \0\n\n");
    }
}
