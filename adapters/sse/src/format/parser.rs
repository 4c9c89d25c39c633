use std::collections::VecDeque;
use std::time::Duration;

/// An event that a client has read: see [`Reader`](crate::Reader).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Its name: `message` unless the server named another.
    pub event: String,
    /// Its lines, joined by LF.
    pub data: String,
    /// The last id until here, which a client sends as `Last-Event-ID` when it reconnects.
    pub last_event_id: String,
}

/// Reads an event stream as the standard requires, from pieces that are cut anywhere.
///
/// ```
/// use crossws_sse::Parser;
///
/// let mut parser = Parser::new();
/// parser.feed(b"id: 7\ndata: fir")?;
/// parser.feed(b"st\r\ndata: second\r\n\r\n")?;
/// let event = parser.next().unwrap();
/// assert_eq!((&*event.data, &*event.last_event_id), ("first\nsecond", "7"));
/// assert_eq!(parser.next(), None);
/// # Ok::<_, crossws_sse::TooLong>(())
/// ```
#[derive(Debug)]
pub struct Parser {
    /// The unfinished line.
    line: Vec<u8>,
    /// The last byte was CR: an LF after it belongs to it.
    after_cr: bool,
    /// The first line is unfinished: it may begin with a byte order mark.
    first: bool,
    data: String,
    has_data: bool,
    name: String,
    /// The id of the unfinished event. A stream that is cut within an event does not change the last
    /// id: the client has not got that event.
    id: String,
    last_event_id: String,
    retry: Option<Duration>,
    ready: VecDeque<Received>,
    most: usize,
}

/// An event of a server is longer than the client's bound: see [`Parser`]. The stream cannot be read further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event has more than {most} bytes")]
#[non_exhaustive]
pub struct TooLong {
    /// The bound.
    pub most: usize,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// The most bytes of an event by default: 1 MiB.
    pub const MAX_EVENT: usize = 1 << 20;

    /// Creates a parser at the beginning of a stream.
    pub fn new() -> Self {
        Self {
            line: Vec::new(),
            after_cr: false,
            first: true,
            data: String::new(),
            has_data: false,
            name: String::new(),
            id: String::new(),
            last_event_id: String::new(),
            retry: None,
            ready: VecDeque::new(),
            most: Self::MAX_EVENT,
        }
    }

    /// Sets the most bytes of an event, and of a line. Default [`MAX_EVENT`](Self::MAX_EVENT).
    #[must_use]
    pub fn max_event(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// Reads a piece of the stream. Complete events are returned by [`next`](Self::next), and should
    /// be taken before the next piece.
    ///
    /// # Errors
    /// [`TooLong`] if an event exceeds the bound.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut rest = bytes;
        if std::mem::take(&mut self.after_cr) {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let (line, after) = rest.split_at(end);
            self.begin(line)?;
            self.end_line()?;
            rest = match after {
                [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
                [] => after,
            };
            self.after_cr = after == b"\r";
        }
        self.begin(rest)
    }

    /// Returns the next complete event.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Received> {
        self.ready.pop_front()
    }

    /// Returns how long the server wants clients to wait before they reconnect, if it has said so.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Returns the last id, also of events without data. A client that reconnects sends it.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    fn begin(&mut self, part: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + part.len() + self.data.len() > self.most {
            return Err(TooLong { most: self.most });
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), TooLong> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = String::from_utf8_lossy(&bytes);
        if std::mem::take(&mut self.first)
            && let Some(rest) = line.strip_prefix('\u{feff}')
        {
            line = rest.to_owned().into();
        }
        if line.is_empty() {
            self.dispatch();
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                // What is not UTF-8 is replaced by longer characters.
                if self.data.len() > self.most {
                    return Err(TooLong { most: self.most });
                }
            }
            "event" => value.clone_into(&mut self.name),
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                let millis = value.parse().map(Duration::from_millis);
                self.retry = millis.ok().or(self.retry);
            }
            _ => {}
        }
        // The memory of the line serves for the next.
        self.line = bytes;
        self.line.clear();
        Ok(())
    }

    fn dispatch(&mut self) {
        self.last_event_id.clone_from(&self.id);
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if !std::mem::take(&mut self.has_data) {
            return;
        }
        self.ready.push_back(Received {
            event: match name.is_empty() {
                true => "message".to_owned(),
                false => name,
            },
            data,
            last_event_id: self.last_event_id.clone(),
        });
    }
}
