use std::cell::Cell;
use std::thread::LocalKey;

/// A buffer of the thread, lent for one call, so that a connection owns none.
pub(super) struct Scratch {
    pub(super) bytes: Vec<u8>,
    home: &'static LocalKey<Cell<Vec<u8>>>,
}

impl Scratch {
    /// Lends at least `len` bytes. If the buffer is already lent, as by TLS inside TLS, this
    /// allocates a new one.
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
        // A thread that ends keeps no buffer.
        let _ = self.home.try_with(|home| home.set(bytes));
    }
}
