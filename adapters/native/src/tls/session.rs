use std::io::IoSlice;

use bytes::{Buf, BytesMut};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, InsufficientSizeError, UnbufferedStatus, WriteTraffic,
};

use super::sealed::{Sealed, exhausted, seal};

type Said = Result<(), rustls::Error>;

/// The most bytes that wait for the rest of a message: a handshake message of 64 KiB, rustls's
/// bound, in records. Memory grows with the arrived bytes, not with an announced length.
const MOST_PARTIAL: usize = 80 << 10;

/// One side of a TLS connection. rustls has a type for each, with the same methods.
pub trait Side: Send + 'static {
    type Data;

    fn process<'c, 'i>(&'c mut self, records: &'i mut [u8])
    -> UnbufferedStatus<'c, 'i, Self::Data>;

    fn wants_write(&self) -> bool;
}

macro_rules! side {
    ($($connection:ty: $data:ty;)+) => {$(
        impl Side for $connection {
            type Data = $data;

            fn process<'c, 'i>(
                &'c mut self,
                records: &'i mut [u8],
            ) -> UnbufferedStatus<'c, 'i, $data> {
                self.process_tls_records(records)
            }

            fn wants_write(&self) -> bool {
                (**self).wants_write()
            }
        }
    )+};
}

side! {
    UnbufferedServerConnection: ServerConnectionData;
    UnbufferedClientConnection: ClientConnectionData;
}

/// One side of a TLS connection, without its stream: bytes go in and come out.
pub(super) struct Session<S> {
    connection: Box<S>,
    /// Received but not yet decrypted: the beginning of a record. The next input must begin with it.
    pub(super) partial: BytesMut,
    /// Decrypted but not yet read.
    pub(super) plain: BytesMut,
    /// Encrypted but not yet written.
    pub(super) outgoing: BytesMut,
    /// Whether the handshake is complete.
    pub(super) established: bool,
    /// Whether the other side has sent `close_notify`.
    pub(super) ended: bool,
    /// The error, if the other side has broken TLS. rustls must not be called again: it panics if it
    /// processes refused bytes a second time.
    pub(super) failed: Option<rustls::Error>,
}

/// The destination of plaintext. What does not fit waits in the session.
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

impl<S: Side> Session<S> {
    /// Returns how many bytes of memory wait here, plus what rustls takes for the connection
    /// itself.
    pub(super) fn buffered(&self) -> usize {
        let buffers = [&self.partial, &self.plain, &self.outgoing];
        let waiting: usize = buffers.iter().map(|buffer| buffer.capacity()).sum();
        size_of::<S>() + waiting
    }

    pub(super) fn new(connection: S) -> Self {
        Self {
            connection: Box::new(connection),
            partial: BytesMut::new(),
            plain: BytesMut::new(),
            outgoing: BytesMut::new(),
            established: false,
            ended: false,
            failed: None,
        }
    }

    /// Queues what this side sends first: a client's hello. A server has nothing to send before that.
    ///
    /// # Errors
    /// When rustls cannot encode it.
    pub(super) fn begin(&mut self) -> Result<(), rustls::Error> {
        self.speak(|_, _| Ok(()))
    }

    /// Takes in records, the partial one first. Plaintext goes to `buf`, and what does not fit to
    /// `plain`. rustls's own messages for the other side go to `outgoing`, and the alert for one that
    /// breaks TLS: then the session has failed. Returns how much is in `buf`.
    pub(super) fn take_in(&mut self, records: &mut [u8], buf: &mut [u8]) -> usize {
        let mut room = Room { buf, filled: 0 };
        let done = self.process(records, &mut room, |_, _| Ok(()));
        let filled = room.filled;
        // Released and allocated again, so that an idle connection owns no memory.
        self.partial = BytesMut::new();
        match done.map(|done| records.get(done..).unwrap_or_default()) {
            Ok([]) => {}
            Ok(rest) if rest.len() <= MOST_PARTIAL => self.partial = BytesMut::from(rest),
            Ok(_) => {
                self.failed = Some(rustls::Error::General("a message is too large".into()));
            }
            Err(error) => self.failed = Some(error),
        }
        filled
    }

    /// Encrypts from the slices into `sealed`, up to a bound. The caller must send it after
    /// `outgoing`. Returns how much plaintext it encrypted.
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

    /// Encrypts `close_notify`.
    ///
    /// # Errors
    /// When there is no key left to encrypt it with.
    pub(super) fn close(&mut self) -> Result<(), rustls::Error> {
        self.speak(|traffic, outgoing| {
            let mut alert = [0; 512];
            let count = traffic.queue_close_notify(&mut alert).map_err(exhausted)?;
            outgoing.extend_from_slice(alert.get(..count).unwrap_or_default());
            Ok(())
        })
    }

    fn speak(
        &mut self,
        traffic: impl FnOnce(&mut WriteTraffic<'_, S::Data>, &mut BytesMut) -> Said,
    ) -> Said {
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

    /// Processes as many records as possible. Calls `traffic` at the end, if application data may
    /// be sent then.
    fn process(
        &mut self,
        records: &mut [u8],
        room: &mut Room<'_>,
        traffic: impl FnOnce(&mut WriteTraffic<'_, S::Data>, &mut BytesMut) -> Said,
    ) -> Result<usize, rustls::Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut done = 0;
        loop {
            let rest = records.get_mut(done..).unwrap_or_default();
            let UnbufferedStatus { mut discard, state } = self.connection.process(rest);
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
                    // `outgoing` is a queue, so its bytes count as sent.
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
                // Early data is disabled.
                Ok(_) => return Err(rustls::Error::General("unknown state".into())),
                Err(error) => {
                    self.failed = Some(error.clone());
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

    /// Encodes rustls's alert for the side that broke TLS. rustls processes no record before that.
    fn last_words(&mut self) {
        while self.connection.wants_write() {
            let UnbufferedStatus { state, .. } = self.connection.process(&mut []);
            let Ok(ConnectionState::EncodeTlsData(mut encode)) = state else {
                return;
            };
            if append(&mut self.outgoing, |room| encode.encode(room)).is_err() {
                return;
            }
        }
    }
}

/// Lets `encode` append to `bytes`, with as much room as it asks for.
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
