//! Bytes that were read and are not decoded yet.

use std::cell::Cell;
use std::io;
use std::task::Poll;

/// How much one read takes.
const SCRATCH: usize = 64 << 10;

thread_local! {
    /// The buffer that this thread reads into, while no connection uses it.
    static IDLE: Cell<Option<Box<Buffer>>> = const { Cell::new(None) };
}

/// Bytes that were read.
struct Buffer {
    bytes: Box<[u8]>,
    /// Where the undecoded bytes begin and end.
    start: usize,
    end: usize,
    /// Whether the buffer is the thread's, and not the connection's own.
    lent: bool,
}

impl Buffer {
    /// Returns this thread's buffer, or a new one if another connection on the thread is reading
    /// already.
    fn borrow() -> Box<Self> {
        IDLE.try_with(Cell::take).ok().flatten().unwrap_or_else(|| {
            Box::new(Self {
                bytes: vec![0; SCRATCH].into(),
                start: 0,
                end: 0,
                lent: true,
            })
        })
    }

    /// Creates a buffer of the connection's own.
    fn own(bytes: &[u8]) -> Box<Self> {
        Box::new(Self {
            bytes: bytes.into(),
            start: 0,
            end: bytes.len(),
            lent: false,
        })
    }

    /// Returns the buffer to the thread, if it was lent.
    fn give_back(self: Box<Self>) {
        if self.lent {
            // A thread that ends keeps nothing.
            let _ = IDLE.try_with(|idle| idle.set(Some(self)));
        }
    }
}

/// The bytes between the socket and the decoder: in the thread's buffer while the task runs through
/// them, in one of the connection's own if they have to wait. An idle connection has neither.
pub(super) struct Input(Option<Box<Buffer>>);

impl Input {
    pub(super) fn new(early: &[u8]) -> Self {
        Self((!early.is_empty()).then(|| Buffer::own(early)))
    }

    /// Returns how many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |buffer| buffer.end - buffer.start)
    }

    /// Fills the buffer with `read`, which returns how many bytes it has read. Must be called only
    /// when the buffer is empty.
    pub(super) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = Buffer::borrow();
        let result = read(&mut buffer.bytes);
        match result {
            Poll::Ready(Ok(count)) if count > 0 => {
                buffer.start = 0;
                buffer.end = count.min(buffer.bytes.len());
                self.0 = Some(buffer);
            }
            _ => buffer.give_back(),
        }
        result
    }

    /// Returns the bytes.
    #[inline]
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        self.0
            .as_mut()
            .and_then(|buffer| buffer.bytes.get_mut(buffer.start..buffer.end))
            .unwrap_or_default()
    }

    /// Consumes bytes with a function, which leaves the rest in the slice.
    #[inline(always)]
    pub(super) fn consume<T>(&mut self, decode: impl FnOnce(&mut &mut [u8]) -> T) -> T {
        let mut rest = self.bytes();
        let decoded = decode(&mut rest);
        let left = rest.len();
        self.keep(left);
        decoded
    }

    /// Discards all but the last `left` bytes.
    #[inline]
    pub(super) fn keep(&mut self, left: usize) {
        match &mut self.0 {
            Some(buffer) if left > 0 => buffer.start = buffer.end - left,
            _ => self.clear(),
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        if let Some(buffer) = self.0.take() {
            buffer.give_back();
        }
    }

    /// Returns the thread's buffer. Must be called before the task sleeps, or lets others run.
    pub(super) fn park(&mut self) {
        if self.0.as_ref().is_some_and(|buffer| buffer.lent) {
            let own = Buffer::own(self.bytes());
            self.clear();
            self.0 = Some(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(input: &mut Input, bytes: &[u8]) {
        let filled = input.fill(|room| {
            room[..bytes.len()].copy_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        });
        assert!(matches!(filled, Poll::Ready(Ok(count)) if count == bytes.len()));
    }

    #[test]
    fn what_is_parked_outlives_the_next_read_of_the_thread() {
        let (mut one, mut other) = (Input::new(&[]), Input::new(&[]));
        fill(&mut one, b"abcdef");
        one.keep(4);
        one.park();
        fill(&mut other, b"xyz");
        assert_eq!(one.bytes(), b"cdef");
        assert_eq!(one.len(), 4);
        one.keep(1);
        assert_eq!(one.bytes(), b"f");
        one.keep(0);
        assert!(one.0.is_none(), "an idle connection owns no buffer");
        assert_eq!(other.bytes(), b"xyz");
    }

    #[test]
    fn a_thread_has_one_buffer_and_lends_it() {
        let (mut one, mut other) = (Input::new(&[]), Input::new(&[]));
        fill(&mut one, b"one");
        // As when a hook runs another connection to its end: it gets a buffer of its own.
        fill(&mut other, b"two");
        assert_eq!(one.bytes(), b"one");
        assert_eq!(other.bytes(), b"two");
        let lent = one.bytes().as_ptr();
        other.keep(0);
        one.keep(0);
        fill(&mut other, b"more");
        assert_eq!(other.bytes().as_ptr(), lent);
    }

    #[test]
    fn a_read_that_gives_nothing_keeps_no_buffer() {
        let mut input = Input::new(&[]);
        assert!(input.fill(|_| Poll::Pending).is_pending());
        assert!(matches!(
            input.fill(|_| Poll::Ready(Ok(0))),
            Poll::Ready(Ok(0))
        ));
        assert!(input.0.is_none());
        assert!(IDLE.take().is_some());
    }
}
