//! A transport that records, and its other side.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossws_core::adapter::{
    Allowance, ControlFrame, Cursor, Hibernation, LogReader, MeterCell, OutboundQueue, Publication,
    Receipt, Settled, Snapshot, Transport, Wire as Format,
};
use crossws_core::{
    Bytes, Capabilities, CloseFrame, ControlError, Message, PersistError, SendError, SendOptions,
    Sent,
};

use super::{Mutex, wall_clock};

/// The calls that reached the transport, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    Sent(String),
    Published(String),
    Control(ControlFrame),
    Close(u16, String),
    Terminate,
}

/// How the transport takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    #[default]
    Take,
    /// The queue is full, and its policy refuses the newest.
    Full,
    /// The queue is full, and its policy discards the oldest.
    Replace,
    /// The connection is closing.
    Closed,
}

#[derive(Default)]
struct WireState {
    out: Vec<Out>,
    stored: Option<Snapshot>,
    room: Option<usize>,
    mode: Mode,
    wakes: usize,
    volatile: usize,
    buffered: usize,
    dropped: u64,
    /// What the wall clock was set forwards by.
    ahead: Duration,
}

/// The test's side of a transport.
#[derive(Clone)]
pub struct Wire {
    state: Arc<Mutex<WireState>>,
    capabilities: Capabilities,
    /// The format in which topics' logs are read.
    format: Option<Format>,
    meter: Arc<MeterCell>,
    counts: bool,
}

impl Default for Wire {
    fn default() -> Self {
        let all = Capabilities::ALL.iter();
        let all = all.fold(Capabilities::NONE, |all, (one, _)| all.with(*one));
        Self {
            state: Arc::default(),
            // Stored values must convert, which is not required where nothing sleeps.
            capabilities: all.without(Capabilities::HIBERNATION),
            format: None,
            meter: Arc::default(),
            counts: true,
        }
    }
}

impl Wire {
    pub fn without(capability: Capabilities) -> Self {
        let all = Self::default();
        Self {
            capabilities: all.capabilities.without(capability),
            ..all
        }
    }

    /// Creates a transport that hibernates, and has room for this many bytes.
    pub fn sleepy(room: usize) -> Self {
        let wire = Self::default();
        wire.state.lock().unwrap().room = Some(room);
        Self {
            capabilities: wire.capabilities.with(Capabilities::HIBERNATION),
            ..wire
        }
    }

    /// Creates a transport that takes publications in this format, and always at once.
    pub fn reading(format: Format) -> Self {
        Self {
            format: Some(format),
            ..Self::default()
        }
    }

    /// Turns counting of the traffic off.
    pub fn uncounted(mut self) -> Self {
        self.counts = false;
        self
    }

    /// Returns where the traffic is counted.
    pub fn meter(&self) -> &MeterCell {
        &self.meter
    }

    /// Returns the stored snapshot of the peer.
    pub fn stored(&self) -> Option<Snapshot> {
        self.state.lock().unwrap().stored.clone()
    }

    pub fn transport(&self) -> impl Transport + use<> {
        TestTransport(self.clone())
    }

    pub fn mode(&self, mode: Mode) {
        self.state.lock().unwrap().mode = mode;
    }

    pub fn buffer(&self, bytes: usize) {
        self.state.lock().unwrap().buffered = bytes;
    }

    /// Returns the calls since the last call.
    pub fn take(&self) -> Vec<Out> {
        std::mem::take(&mut self.state.lock().unwrap().out)
    }

    /// Returns the texts that were sent since the last call.
    pub fn texts(&self) -> Vec<String> {
        let texts = self.take().into_iter().filter_map(|out| match out {
            Out::Sent(text) | Out::Published(text) => Some(text),
            _ => None,
        });
        texts.collect()
    }

    /// Returns the close frames that were sent since the last call.
    pub fn closes(&self) -> Vec<u16> {
        let closes = self.take().into_iter().filter_map(|out| match out {
            Out::Close(code, _) => Some(code),
            _ => None,
        });
        closes.collect()
    }

    /// Sets the wall clock to this much more than it would show.
    pub fn set_clock(&self, ahead: Duration) {
        self.state.lock().unwrap().ahead = ahead;
    }

    /// How many volatile messages were published to it.
    pub fn volatile(&self) -> usize {
        self.state.lock().unwrap().volatile
    }

    /// How often the writer was woken.
    pub fn wakes(&self) -> usize {
        self.state.lock().unwrap().wakes
    }
}

struct TestTransport(Wire);

/// A client is behind while more than this waits for it.
const MUCH: usize = 5000;

impl Transport for TestTransport {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities
    }

    fn send(&self, message: Message, _: &SendOptions) -> Result<Sent, SendError> {
        let mut state = self.0.state.lock().unwrap();
        match state.mode {
            Mode::Closed => return Err(SendError::Closed(message)),
            Mode::Full => {
                state.dropped += 1;
                return Err(SendError::Full(message));
            }
            Mode::Take | Mode::Replace => {}
        }
        state.out.push(Out::Sent(message.to_string()));
        if let Some(meter) = self.0.meter.get() {
            meter.sent(1, message.len());
        }
        Ok(match state.buffered {
            ..=MUCH => Sent::Written,
            bytes => Sent::Queued { bytes },
        })
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        let mut state = self.0.state.lock().unwrap();
        let receipt = match state.mode {
            Mode::Closed => return Receipt::closed(),
            Mode::Full => {
                state.dropped += 1;
                return Receipt::full(1);
            }
            Mode::Replace => {
                state.dropped += 2;
                Receipt::replaced(2, true)
            }
            // As a writer does: only the first message wakes it.
            Mode::Take => Receipt::queued(state.out.is_empty()),
        };
        let text = publication.message().to_string();
        state.volatile += usize::from(publication.options().is_volatile());
        state.out.push(Out::Published(text));
        receipt
    }

    fn wake(&self) {
        self.0.state.lock().unwrap().wakes += 1;
    }

    fn now(&self) -> SystemTime {
        wall_clock() + self.0.state.lock().unwrap().ahead
    }

    fn steady(&self) -> SystemTime {
        wall_clock()
    }

    fn close(&self, frame: CloseFrame) {
        let out = Out::Close(frame.code().get(), frame.reason().to_string());
        self.0.state.lock().unwrap().out.push(out);
    }

    fn terminate(&self) {
        self.0.state.lock().unwrap().out.push(Out::Terminate);
    }

    fn control(&self, frame: ControlFrame) -> Result<(), ControlError> {
        self.0.state.lock().unwrap().out.push(Out::Control(frame));
        Ok(())
    }

    fn queue(&self) -> Option<&dyn OutboundQueue> {
        Some(self)
    }

    fn log_reader(&self) -> Option<&dyn LogReader> {
        Some(self)
    }

    fn hibernation(&self) -> Option<&dyn Hibernation> {
        let hibernates = self.0.capabilities.contains(Capabilities::HIBERNATION);
        hibernates.then_some(self)
    }

    fn meter(&self) -> Option<&MeterCell> {
        self.0.counts.then_some(&*self.0.meter)
    }

    fn extensions(&self) -> &str {
        "permessage-test"
    }
}

impl OutboundQueue for TestTransport {
    fn buffered_amount(&self) -> usize {
        self.0.state.lock().unwrap().buffered
    }

    fn dropped(&self) -> u64 {
        self.0.state.lock().unwrap().dropped
    }

    fn has_room(&self, _: usize) -> bool {
        self.buffered_amount() <= 512 << 10
    }

    fn is_behind(&self) -> bool {
        self.buffered_amount() > MUCH
    }
}

/// Takes every publication at once.
impl LogReader for TestTransport {
    fn wire(&self) -> Option<Format> {
        self.0.format
    }

    fn offer(&self, encoded: &Bytes) -> Option<Receipt> {
        let text = String::from_utf8(encoded.to_vec()).unwrap();
        self.0.state.lock().unwrap().out.push(Out::Published(text));
        Some(Receipt::queued(false))
    }

    fn news(&self, feed: Cursor) -> Result<Allowance, Cursor> {
        Err(feed)
    }

    fn lags(&self) -> Allowance {
        Allowance::default()
    }

    fn left(&self) -> Settled {
        Settled::default()
    }
}

impl Hibernation for TestTransport {
    fn persist(&self, snapshot: Snapshot) -> Result<(), PersistError> {
        let mut state = self.0.state.lock().unwrap();
        let len = serde_json::to_vec(&snapshot).unwrap().len();
        match state.room {
            Some(most) if len > most => Err(PersistError::too_big(&snapshot, len, most)),
            _ => {
                state.stored = Some(snapshot);
                Ok(())
            }
        }
    }

    fn wake_at(&self, _: SystemTime) {
        self.0.state.lock().unwrap().wakes += 1;
    }
}
