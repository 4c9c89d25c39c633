//! What was read and is not decoded yet.

use std::cell::Cell;
use std::io;
use std::task::Poll;

use bytes::{Buf, BytesMut};

/// How much one read takes.
const SCRATCH: usize = 64 << 10;

thread_local! {
    /// The buffer that this thread reads into, while nobody does.
    static IDLE: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// A thread's read buffer: an idle connection owns none.
struct Scratch {
    bytes: Box<[u8]>,
    /// Where what is not decoded begins and ends.
    start: usize,
    end: usize,
}

impl Scratch {
    /// This thread's, or a new one if a hook's thread is reading already.
    fn borrow() -> Box<Self> {
        IDLE.take().unwrap_or_else(|| {
            Box::new(Self {
                bytes: vec![0; SCRATCH].into(),
                start: 0,
                end: 0,
            })
        })
    }

    fn give_back(self: Box<Self>) {
        IDLE.set(Some(self));
    }
}

/// The bytes between the socket and the engine: in the thread's buffer while the task runs through
/// them, in one of the connection's own if they have to wait.
pub(super) struct Input {
    fresh: Option<Box<Scratch>>,
    /// `None` while there is `fresh`, or when there is nothing.
    kept: Option<Box<BytesMut>>,
}

impl Input {
    pub(super) fn new(early: BytesMut) -> Self {
        Self {
            fresh: None,
            kept: (!early.is_empty()).then(|| Box::new(early)),
        }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        match &self.fresh {
            Some(fresh) => fresh.end - fresh.start,
            None => self.kept.as_ref().map_or(0, |kept| kept.len()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_none() && self.kept.is_none()
    }

    /// Fills it with `read`, which answers how much it has read. To be called when it is empty.
    pub(super) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let mut scratch = Scratch::borrow();
        let result = read(&mut scratch.bytes);
        match result {
            Poll::Ready(Ok(count)) if count > 0 => {
                scratch.start = 0;
                scratch.end = count.min(scratch.bytes.len());
                self.fresh = Some(scratch);
            }
            _ => scratch.give_back(),
        }
        result
    }

    /// The bytes.
    #[inline]
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        match &mut self.fresh {
            Some(fresh) => fresh.bytes.get_mut(fresh.start..fresh.end),
            None => self.kept.as_mut().map(|kept| &mut kept[..]),
        }
        .unwrap_or_default()
    }

    /// All but the last `left` bytes are done with.
    #[inline]
    pub(super) fn keep(&mut self, left: usize) {
        match &mut self.fresh {
            _ if left == 0 => self.clear(),
            Some(fresh) => fresh.start = fresh.end - left,
            None => {
                if let Some(kept) = &mut self.kept {
                    kept.advance(kept.len() - left);
                }
            }
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        match self.fresh.take() {
            Some(fresh) => fresh.give_back(),
            None => self.kept = None,
        }
    }

    /// Before the task sleeps, or others run: gives the thread's buffer back.
    pub(super) fn park(&mut self) {
        if let Some(fresh) = self.fresh.take() {
            let left = fresh.bytes.get(fresh.start..fresh.end);
            let kept = BytesMut::from(left.unwrap_or_default());
            self.kept = Some(Box::new(kept));
            fresh.give_back();
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
        let (mut one, mut other) = (Input::new(BytesMut::new()), Input::new(BytesMut::new()));
        fill(&mut one, b"abcdef");
        one.keep(4);
        one.park();
        fill(&mut other, b"xyz");
        assert_eq!(one.bytes(), b"cdef");
        assert_eq!((one.len(), one.is_empty()), (4, false));
        one.keep(1);
        assert_eq!(one.bytes(), b"f");
        one.keep(0);
        assert!(one.is_empty());
        assert!(one.kept.is_none(), "an idle connection owns no buffer");
        assert_eq!(other.bytes(), b"xyz");
    }

    #[test]
    fn a_thread_has_one_buffer_and_lends_it() {
        let (mut one, mut other) = (Input::new(BytesMut::new()), Input::new(BytesMut::new()));
        fill(&mut one, b"one");
        // As when a hook runs another connection to its end: it gets a buffer of its own.
        fill(&mut other, b"two");
        assert_eq!(one.bytes(), b"one");
        assert_eq!(other.bytes(), b"two");
        let lent = one.fresh.as_ref().map(|fresh| fresh.bytes.as_ptr());
        other.keep(0);
        one.keep(0);
        fill(&mut other, b"more");
        assert_eq!(other.fresh.as_ref().map(|fresh| fresh.bytes.as_ptr()), lent);
    }

    #[test]
    fn a_read_that_gives_nothing_keeps_no_buffer() {
        let mut input = Input::new(BytesMut::new());
        assert!(input.fill(|_| Poll::Pending).is_pending());
        assert!(matches!(
            input.fill(|_| Poll::Ready(Ok(0))),
            Poll::Ready(Ok(0))
        ));
        assert!(input.is_empty() && input.fresh.is_none());
        assert!(IDLE.take().is_some());
    }
}
