use std::cell::Cell;
use std::thread::LocalKey;

/// A buffer that belongs to the thread and is lent for one call, so that a connection owns none.
pub(super) struct Scratch {
    pub(super) bytes: Vec<u8>,
    home: &'static LocalKey<Cell<Vec<u8>>>,
}

impl Scratch {
    /// At least `len` bytes. Lent twice at once, as by TLS inside of TLS, the second is a new one.
    pub(super) fn lend(home: &'static LocalKey<Cell<Vec<u8>>>, len: usize) -> Self {
        let mut bytes = home.try_with(Cell::take).unwrap_or_default();
        if bytes.len() < len {
            bytes.resize(len, 0);
        }
        Self { bytes, home }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // A thread that ends keeps nothing.
        let _ = self.home.try_with(|home| home.set(bytes));
    }
}
