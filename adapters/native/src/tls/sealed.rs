//! Encryption into a buffer of the thread, so that a connection owns none.

use std::cell::Cell;
use std::io::{IoSlice, Write as _};

use rustls::unbuffered::{EncryptError, InsufficientSizeError, WriteTraffic};
use smallvec::SmallVec;

use super::scratch::Scratch;

/// The longest plaintext of one TLS record (RFC 8446 section 5.1).
const RECORD: usize = 16 << 10;

/// The most plaintext that one write encrypts: four whole records.
const MOST_PLAIN: usize = 4 * RECORD;

/// Room for that in encrypted form: each record has at most 256 bytes more, and a header.
const MOST_SEALED: usize = MOST_PLAIN + 8 * (256 + 5);

thread_local! {
    static SEALED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// Plaintext of several slices that becomes one record.
    static GATHERED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Encrypted bytes, in a buffer of the thread.
pub(super) struct Sealed {
    scratch: Scratch,
    len: usize,
}

impl Sealed {
    pub(super) fn new() -> Self {
        Self {
            scratch: Scratch::lend(&SEALED, MOST_SEALED),
            len: 0,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.scratch.bytes.get(..self.len).unwrap_or_default()
    }

    fn push<D>(
        &mut self,
        traffic: &mut WriteTraffic<'_, D>,
        plain: &[u8],
    ) -> Result<(), rustls::Error> {
        loop {
            let room = self.scratch.bytes.get_mut(self.len..).unwrap_or_default();
            match traffic.encrypt(plain, room) {
                Ok(count) => {
                    self.len += count;
                    return Ok(());
                }
                // Tickets or a key update come first.
                Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                    self.scratch.bytes.resize(self.len + required_size, 0);
                }
                Err(error) => return Err(exhausted(error)),
            }
        }
    }
}

/// Encrypts from the slices. A long slice is encrypted as it is, short ones together, so that a
/// header and its payload do not become two records.
pub(super) fn seal<D>(
    traffic: &mut WriteTraffic<'_, D>,
    bufs: &[IoSlice<'_>],
    sealed: &mut Sealed,
) -> Result<usize, rustls::Error> {
    let mut slices: SmallVec<[IoSlice<'_>; 32]> = SmallVec::from_slice(bufs);
    let mut rest = &mut slices[..];
    // Skips the empty ones, as it always does.
    IoSlice::advance_slices(&mut rest, 0);
    let mut taken = 0;
    while taken < MOST_PLAIN
        && let Some(next) = rest.first()
    {
        let count = if next.len() >= RECORD {
            // Only whole records; the rest is joined with what follows.
            let most = next.len().min(MOST_PLAIN - taken).max(RECORD);
            let (now, _) = next.split_at(most - most % RECORD);
            sealed.push(traffic, now)?;
            now.len()
        } else {
            let mut gathered = Scratch::lend(&GATHERED, RECORD);
            let mut room = gathered.bytes.get_mut(..RECORD).unwrap_or_default();
            // Copies what there is room for, and cannot fail.
            let count = room.write_vectored(rest).unwrap_or_default();
            sealed.push(traffic, gathered.bytes.get(..count).unwrap_or_default())?;
            count
        };
        IoSlice::advance_slices(&mut rest, count);
        taken += count;
    }
    Ok(taken)
}

/// Converts the error of an encryption.
pub(super) fn exhausted(error: EncryptError) -> rustls::Error {
    rustls::Error::General(error.to_string())
}
