use std::cell::Cell;
use std::io::IoSlice;

use bytes::{Buf, BytesMut};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};

use super::scratch::Scratch;

type Traffic<'c> = WriteTraffic<'c, ServerConnectionData>;
type Said = Result<(), rustls::Error>;

/// The longest plaintext of one TLS record (RFC 8446 section 5.1).
const RECORD: usize = 16 << 10;

/// Most plaintext that one write encrypts: four whole records.
const MOST_PLAIN: usize = 4 * RECORD;

/// Room for that, encrypted: each record has at most 256 bytes more, and a header.
const MOST_SEALED: usize = MOST_PLAIN + 8 * (256 + 5);

/// Most bytes that wait for the rest of what they begin: a handshake message of 64 KiB, which is
/// rustls's bound, in records. Memory grows with what has arrived, not with what was announced.
const MOST_PARTIAL: usize = 80 << 10;

thread_local! {
    static SEALED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// Plaintext of several slices, on its way into one record.
    static GATHERED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The server's side of a TLS connection, without its stream: bytes go in and come out.
pub(super) struct Session {
    connection: Box<UnbufferedServerConnection>,
    /// Taken in, and not yet decrypted: the beginning of a record.
    partial: BytesMut,
    /// Decrypted, and not yet read.
    pub(super) plain: BytesMut,
    /// Encrypted, and not yet written.
    pub(super) outgoing: BytesMut,
    /// The handshake is done.
    pub(super) established: bool,
    /// The client has said that nothing more comes.
    pub(super) ended: bool,
    /// The client broke TLS. rustls must not be asked again: it panics at a second look at what it
    /// has refused.
    failed: bool,
}

/// Where plaintext goes first; what does not fit waits in the session.
struct Room<'a> {
    buf: &'a mut [u8],
    filled: usize,
}

impl Room<'_> {
    fn put<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let room = self.buf.get_mut(self.filled..).unwrap_or_default();
        let (now, later) = bytes.split_at(room.len().min(bytes.len()));
        if let Some(room) = room.get_mut(..now.len()) {
            room.copy_from_slice(now);
        }
        self.filled += now.len();
        later
    }
}

impl Session {
    /// How many bytes of memory wait here, and what rustls takes for the connection itself.
    pub(super) fn buffered(&self) -> usize {
        let buffers = [&self.partial, &self.plain, &self.outgoing];
        let waiting: usize = buffers.iter().map(|buffer| buffer.capacity()).sum();
        size_of::<UnbufferedServerConnection>() + waiting
    }

    pub(super) fn new(connection: UnbufferedServerConnection) -> Self {
        Self {
            connection: Box::new(connection),
            partial: BytesMut::new(),
            plain: BytesMut::new(),
            outgoing: BytesMut::new(),
            established: false,
            ended: false,
            failed: false,
        }
    }

    /// The beginning of a record: what is taken in next must begin with it.
    pub(super) fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Takes in records, the partial one first. Plaintext goes to `buf`, and what does not fit to
    /// `plain`; what rustls has to say to the client goes to `outgoing`. Answers how much is in
    /// `buf`, also when it fails.
    ///
    /// # Errors
    /// When the client breaks TLS; the alert that tells it so is in `outgoing`.
    pub(super) fn take_in(
        &mut self,
        records: &mut [u8],
        buf: &mut [u8],
    ) -> (usize, Result<(), rustls::Error>) {
        let mut room = Room { buf, filled: 0 };
        let done = self.process(records, &mut room, |_, _| Ok(()));
        let filled = room.filled;
        // Given back and taken anew, so that an idle connection owns no memory.
        self.partial = BytesMut::new();
        let done = match done {
            Ok(done) => done,
            Err(error) => return (filled, Err(error)),
        };
        let rest = records.get(done..).unwrap_or_default();
        if rest.len() > MOST_PARTIAL {
            self.failed = true;
            let error = rustls::Error::General("a message is too large".into());
            return (filled, Err(error));
        }
        if !rest.is_empty() {
            self.partial = BytesMut::from(rest);
        }
        (filled, Ok(()))
    }

    /// Encrypts from the slices into `sealed`, up to a bound; it belongs behind `outgoing`.
    /// Answers how much plaintext.
    ///
    /// # Errors
    /// When nothing can be encrypted any more.
    pub(super) fn seal(
        &mut self,
        bufs: &[IoSlice<'_>],
        sealed: &mut Sealed,
    ) -> Result<usize, rustls::Error> {
        let mut taken = 0;
        self.speak(|traffic, _| {
            taken = seal(traffic, bufs, sealed)?;
            Ok(())
        })?;
        Ok(taken)
    }

    /// Says that nothing more comes from this side.
    ///
    /// # Errors
    /// When there is no key any more with which it could be said.
    pub(super) fn close(&mut self) -> Result<(), rustls::Error> {
        self.speak(|traffic, outgoing| {
            let mut alert = [0; 512];
            let count = traffic.queue_close_notify(&mut alert).map_err(exhausted)?;
            outgoing.extend_from_slice(alert.get(..count).unwrap_or_default());
            Ok(())
        })
    }

    fn speak(&mut self, traffic: impl FnOnce(&mut Traffic<'_>, &mut BytesMut) -> Said) -> Said {
        let mut partial = std::mem::take(&mut self.partial);
        let mut none = Room {
            buf: &mut [],
            filled: 0,
        };
        let done = self.process(&mut partial, &mut none, traffic)?;
        partial.advance(done);
        self.partial = partial;
        Ok(())
    }

    /// Goes on as far as the records allow; `traffic` is called at the end, if application data
    /// may be sent then.
    fn process(
        &mut self,
        records: &mut [u8],
        room: &mut Room<'_>,
        traffic: impl FnOnce(&mut Traffic<'_>, &mut BytesMut) -> Said,
    ) -> Result<usize, rustls::Error> {
        if self.failed {
            return Err(rustls::Error::General("the connection has failed".into()));
        }
        let mut done = 0;
        loop {
            let rest = records.get_mut(done..).unwrap_or_default();
            let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(rest);
            let over = match state {
                Ok(ConnectionState::ReadTraffic(mut read)) => {
                    while let Some(record) = read.next_record() {
                        let record = record?;
                        let later = room.put(record.payload);
                        self.plain.extend_from_slice(later);
                        discard += record.discard;
                    }
                    false
                }
                Ok(ConnectionState::EncodeTlsData(mut encode)) => {
                    append(&mut self.outgoing, |room| encode.encode(room))?;
                    false
                }
                Ok(ConnectionState::TransmitTlsData(transmit)) => {
                    // A queue: what is in it is as good as sent.
                    transmit.done();
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.ended = true;
                    false
                }
                Ok(ConnectionState::WriteTraffic(mut write)) => {
                    self.established = true;
                    return traffic(&mut write, &mut self.outgoing).map(|()| done + discard);
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => true,
                // Early data is switched off.
                Ok(_) => return Err(rustls::Error::General("unknown state".into())),
                Err(error) => {
                    self.failed = true;
                    self.last_words();
                    return Err(error);
                }
            };
            done += discard;
            if over {
                return Ok(done);
            }
        }
    }

    /// What rustls has to tell a client that broke TLS. It looks at no record while it has.
    fn last_words(&mut self) {
        while self.connection.wants_write() {
            let UnbufferedStatus { state, .. } = self.connection.process_tls_records(&mut []);
            let Ok(ConnectionState::EncodeTlsData(mut encode)) = state else {
                return;
            };
            if append(&mut self.outgoing, |room| encode.encode(room)).is_err() {
                return;
            }
        }
    }
}

/// Encrypted bytes, in a buffer of the thread's.
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

    fn push(&mut self, traffic: &mut Traffic<'_>, plain: &[u8]) -> Said {
        loop {
            let room = self.scratch.bytes.get_mut(self.len..).unwrap_or_default();
            match traffic.encrypt(plain, room) {
                Ok(count) => {
                    self.len += count;
                    return Ok(());
                }
                // Tickets or a key update go first.
                Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                    self.scratch.bytes.resize(self.len + required_size, 0);
                }
                Err(error) => return Err(exhausted(error)),
            }
        }
    }
}

/// Encrypts from the slices: a long one as it is, short ones together, so that a header and the
/// payload behind it are not two records.
fn seal(
    traffic: &mut Traffic<'_>,
    bufs: &[IoSlice<'_>],
    sealed: &mut Sealed,
) -> Result<usize, rustls::Error> {
    let mut slices = bufs
        .iter()
        .map(|buf| &buf[..])
        .filter(|buf| !buf.is_empty());
    let mut next = slices.next().unwrap_or_default();
    let mut taken = 0;
    while !next.is_empty() && taken < MOST_PLAIN {
        if next.len() >= RECORD {
            // Whole records only; what is left over is joined with what follows.
            let most = next.len().min(MOST_PLAIN - taken).max(RECORD);
            let (now, later) = next.split_at(most - most % RECORD);
            sealed.push(traffic, now)?;
            taken += now.len();
            next = later;
            if next.is_empty() {
                next = slices.next().unwrap_or_default();
            }
            continue;
        }
        let mut gathered = Scratch::lend(&GATHERED, RECORD);
        let mut len = 0;
        while !next.is_empty() && len < RECORD {
            let (now, later) = next.split_at(next.len().min(RECORD - len));
            if let Some(room) = gathered.bytes.get_mut(len..len + now.len()) {
                room.copy_from_slice(now);
            }
            len += now.len();
            next = later;
            if next.is_empty() {
                next = slices.next().unwrap_or_default();
            }
        }
        sealed.push(traffic, gathered.bytes.get(..len).unwrap_or_default())?;
        taken += len;
    }
    Ok(taken)
}

/// Lets `encode` write behind the end of `bytes`, with as much room as it asks for.
fn append(
    bytes: &mut BytesMut,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), rustls::Error> {
    let start = bytes.len();
    let mut room = 4096;
    loop {
        bytes.resize(start + room, 0);
        match encode(bytes.get_mut(start..).unwrap_or_default()) {
            Ok(count) => {
                bytes.truncate(start + count);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size }))
                if required_size > room =>
            {
                room = required_size;
            }
            Err(error) => {
                bytes.truncate(start);
                return Err(rustls::Error::General(error.to_string()));
            }
        }
    }
}

fn exhausted(error: EncryptError) -> rustls::Error {
    rustls::Error::General(error.to_string())
}
