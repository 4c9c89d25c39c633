//! A transport that records, hooks that wait for a signal, and futures polled by hand: with them a
//! test controls the order of events, and nothing sleeps.

use std::pin::Pin;
use std::sync::Arc;
#[cfg(not(crossws_shuttle))]
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, SystemTime};

use crossws_core::adapter::{
    Accepted, Allowance, ClaimError, Cursor, Hibernation, LogReader, MeterCell, Notice,
    OpeningPeer, OutboundQueue, PeerEvents, Publication, Receipt, Session, Settled, Snapshot,
    Transport, Wire as Format,
};
use crossws_core::http::Request;
use crossws_core::{
    Bytes, Capabilities, CloseFrame, ControlError, Error, Hooks, HooksBuilder, Hub, Message,
    PersistError, Rejection, Resolve, SendError, SendOptions, Sent, Upgrade, UpgradeRequest, hooks,
};
use event_listener::Event;
use futures_lite::future::{block_on, poll_fn};
// A transport's lock is a point where shuttle may switch threads.
#[cfg(crossws_shuttle)]
use shuttle::sync::Mutex;

/// The calls that reached the transport, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    Sent(String),
    Published(String),
    Ping(Bytes),
    Pong(Bytes),
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

    fn ping(&self, data: Bytes) -> Result<(), ControlError> {
        self.0.state.lock().unwrap().out.push(Out::Ping(data));
        Ok(())
    }

    fn pong(&self, data: Bytes) -> Result<(), ControlError> {
        self.0.state.lock().unwrap().out.push(Out::Pong(data));
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

/// Makes a timer of this name due.
pub fn time_up<H: Hooks + ?Sized>(session: &Session<H>, events: &PeerEvents, name: &str) {
    session.peer().set_timer(name, Duration::ZERO).unwrap();
    assert!(events.expired(wall_clock()));
}

/// Returns the time of every transport's clock.
pub fn wall_clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

pub fn request(path: &str) -> UpgradeRequest {
    request_with(path, &[])
}

pub fn request_with(path: &str, headers: &[(&str, &str)]) -> UpgradeRequest {
    let mut request = Request::get(path).header("host", "example.org");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    UpgradeRequest::new(request.body(()).unwrap().into_parts().0)
}

/// Runs the upgrade path up to the response.
pub fn upgrade<R: Resolve>(
    hub: &Hub,
    hooks: &Arc<R>,
    request: UpgradeRequest,
) -> Result<Accepted<R::Hooks>, Rejection> {
    block_on(async {
        let accepted = match hub.claim(hooks, request).await {
            Ok(claim) => claim.upgrade().await,
            Err(refused) => Err(refused),
        };
        accepted.map_err(|refused| match refused {
            ClaimError::Rejected(rejection) => rejection,
            other => panic!("{other:?}"),
        })
    })
}

pub fn accept<R: Resolve>(hub: &Hub, hooks: &Arc<R>, path: &str) -> Accepted<R::Hooks> {
    upgrade(hub, hooks, request(path)).unwrap()
}

pub fn join<R: Resolve>(hub: &Hub, hooks: &Arc<R>, path: &str) -> (OpeningPeer<R::Hooks>, Wire) {
    let wire = Wire::default();
    let joined = accept(hub, hooks, path).join(wire.transport()).unwrap();
    (joined, wire)
}

/// As [`open`], with the handle for the adapter's events.
pub fn open_events<R: Resolve>(hub: &Hub, hooks: &Arc<R>) -> (Session<R::Hooks>, PeerEvents) {
    let (joined, _wire) = join(hub, hooks, "/");
    let events = joined.lifeline();
    (block_on(joined.open()), events)
}

pub fn open<R: Resolve>(hub: &Hub, hooks: &Arc<R>, path: &str) -> (Session<R::Hooks>, Wire) {
    let (joined, wire) = join(hub, hooks, path);
    (block_on(joined.open()), wire)
}

/// Opens a peer whose client speaks this subprotocol.
pub fn open_speaking(hub: &Hub, protocol: &str, wire: &Wire) -> Session<HooksBuilder> {
    let hooks = hooks().on_upgrade(|request| async move {
        let offered = request.protocols().next();
        Ok(offered.map_or_else(Upgrade::new, |name| Upgrade::new().protocol(name)))
    });
    let request = request_with("/", &[("sec-websocket-protocol", protocol)]);
    let accepted = upgrade(hub, &Arc::new(hooks), request).unwrap();
    block_on(accepted.join(wire.transport()).unwrap().open())
}

/// Does the work of an adapter while no hook runs: polls the spawned futures, reports a failure
/// among them, and runs due hooks. Returns the last failure's kind.
pub fn turn<H: Hooks + ?Sized>(session: &mut Session<H>) -> Option<crossws_core::ErrorKind> {
    let mut last = None;
    while let Some(notice) = ready(poll_fn(|cx| session.poll_notice(cx))) {
        last = notice.failure().map(Error::kind).or(last);
        block_on(session.notice(notice));
    }
    last
}

/// Waits for a failure of a spawned future.
pub async fn poll_tasks<H: Hooks + ?Sized>(session: &mut Session<H>) -> Notice {
    poll_fn(|cx| session.poll_notice(cx)).await
}

/// Polls a future once and drops it.
pub fn ready<F: Future>(future: F) -> Option<F::Output> {
    block_on(futures_lite::future::poll_once(future))
}

/// A future that the test polls by hand, and whose wake-ups it can check.
pub struct Hand<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    flag: Arc<Flag>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<'a, T> Hand<'a, T> {
    pub fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self {
            future: Box::pin(future),
            flag: Arc::new(Flag(AtomicBool::new(true))),
        }
    }

    /// Polls as an executor does: only if woken, and again while it is woken.
    #[track_caller]
    pub fn poll(&mut self) -> Option<T> {
        let waker = Waker::from(Arc::clone(&self.flag));
        while self.flag.0.swap(false, Ordering::SeqCst) {
            let poll = self.future.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(output) = poll {
                return Some(output);
            }
        }
        None
    }

    /// Returns whether its waker has been woken since it was polled.
    pub fn is_woken(&self) -> bool {
        self.flag.0.load(Ordering::SeqCst)
    }

    #[track_caller]
    pub fn done(&mut self) -> T {
        self.poll().expect("the future is ready, or was not woken")
    }

    #[track_caller]
    pub fn pending(&mut self) {
        assert!(self.poll().is_none(), "the future has ended too early");
    }
}

/// An event that happens once, and that hooks can wait for.
#[derive(Clone, Default)]
pub struct Gate(Arc<(AtomicBool, Event)>);

impl Gate {
    pub fn open(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify(usize::MAX);
    }

    pub async fn passed(&self) {
        loop {
            let listener = self.0.1.listen();
            if self.0.0.load(Ordering::SeqCst) {
                return;
            }
            listener.await;
        }
    }
}

/// A log of events, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// Returns the lines since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Logs a line when it is dropped.
pub struct Dropped(pub Log, pub &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add(self.1);
    }
}

/// Checks that nothing is left on a hub that all peers have left.
#[track_caller]
pub fn assert_empty(hub: &Hub) {
    assert_eq!(hub.peers(), []);
    assert!(hub.namespaces().is_empty());
    assert!(hub.in_all_namespaces().topics().is_empty());
    assert_eq!((hub.stats().peers, hub.stats().sessions), (0, 0));
    assert!(ready(hub.idle()).is_some(), "idle");
}
