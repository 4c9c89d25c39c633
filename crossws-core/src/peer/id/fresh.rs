//! Randomness for ids, of which a thread fetches some at a time: a call for each id costs more than
//! all the rest of it.

use std::cell::RefCell;

/// Ids for which it is fetched at once.
const AT_ONCE: usize = 16;

thread_local! {
    static FRESH: RefCell<Fresh> = const {
        RefCell::new(Fresh {
            bytes: [[0; 16]; AT_ONCE],
            left: 0,
        })
    };
}

/// Fetched from the system's random source, and not yet used. A process that forks in between and
/// goes on in both has these few on both sides: a peer's id authorises nothing, and that it is the
/// only one on its hub is checked there.
struct Fresh {
    bytes: [[u8; 16]; AT_ONCE],
    left: usize,
}

impl Fresh {
    fn take(&mut self) -> Option<[u8; 16]> {
        if self.left == 0 {
            getrandom::fill(self.bytes.as_flattened_mut()).ok()?;
            self.left = AT_ONCE;
        }
        self.left -= 1;
        self.bytes.get(self.left).copied()
    }
}

/// Bytes that nobody can predict, given out once. `None` when the system has none to give.
pub(super) fn bytes() -> Option<[u8; 16]> {
    FRESH.with_borrow_mut(Fresh::take)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_twice_on_any_thread() {
        let some = || (0..5 * AT_ONCE).map(|_| bytes().unwrap());
        let mut all: Vec<_> = some().collect();
        let others = std::thread::spawn(move || some().collect::<Vec<_>>());
        all.extend(others.join().unwrap());
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 10 * AT_ONCE);
    }
}
