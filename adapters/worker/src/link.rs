pub(crate) mod deadline;
pub(crate) mod driver;
pub(crate) mod socket;
pub(crate) mod timer;
pub(crate) mod transport;
pub(crate) mod watch;

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crossws_core::adapter::{LivenessEvent, PeerEvents, RestoredPeer};
use crossws_core::{CloseCode, CloseFrame, Closed, ClosedBy, Error, Message, Peer, PeerState};

use crate::link::socket::Socket;
use crate::link::watch::Watch;

/// Between the platform's events and the one task that runs a peer's hooks, in order of arrival.
pub(crate) struct Link {
    pub(crate) socket: Arc<Socket>,
    pub(crate) peer: Peer,
    pub(crate) number: u32,
    lifeline: PeerEvents,
    /// Until the driver begins: a restored peer has none before its first event.
    seat: RefCell<Option<RestoredPeer>>,
    inbox: RefCell<VecDeque<Event>>,
    /// What runs the hooks, while nobody polls it.
    running: RefCell<Option<Driver>>,
    /// The driver's task, while it waits for an event.
    driver: RefCell<Option<Waker>>,
    given: Cell<u64>,
    handled: Cell<u64>,
    waiters: RefCell<Vec<Waker>>,
    over: Cell<bool>,
    /// How the connection ended has been given.
    ended: Cell<bool>,
    watch: RefCell<Watch>,
}

type Driver = Pin<Box<dyn Future<Output = ()>>>;

pub(crate) enum Event {
    Message(Message),
    Failed(Error),
    Closed(Closed),
    /// The object is gone from memory: no hook runs any more.
    Abandoned,
}

/// A message above `Limits::max_message_size`.
#[derive(Debug, thiserror::Error)]
#[error("a message of {len} bytes, at most {most} are allowed")]
struct TooBig {
    len: usize,
    most: usize,
}

/// The time of a peer's connection, by its settings.
fn watch(peer: &Peer, socket: &Socket) -> Watch {
    let limits = &peer.settings().limits;
    socket.set_close_timeout(limits.close_timeout);
    Watch::new(
        limits,
        peer.id(),
        socket.began(),
        socket.last_heard(),
        socket.last_spoke(),
    )
}

impl Link {
    pub(crate) fn new(socket: Arc<Socket>, seat: RestoredPeer) -> Self {
        let link = Self::of(socket, seat.peer().clone(), seat.lifeline());
        link.seat.replace(Some(seat));
        link
    }

    pub(crate) fn of(socket: Arc<Socket>, peer: Peer, lifeline: PeerEvents) -> Self {
        Self {
            watch: RefCell::new(watch(&peer, &socket)),
            socket,
            peer,
            number: 0,
            lifeline,
            seat: RefCell::default(),
            inbox: RefCell::default(),
            running: RefCell::default(),
            driver: RefCell::default(),
            given: Cell::new(0),
            handled: Cell::new(0),
            waiters: RefCell::default(),
            over: Cell::new(false),
            ended: Cell::new(false),
        }
    }

    /// Under this number in its object.
    pub(crate) fn numbered(mut self, number: u32) -> Self {
        self.number = number;
        self
    }

    /// The seat, for the driver that begins.
    pub(crate) fn take_seat(&self) -> Option<RestoredPeer> {
        self.seat.borrow_mut().take()
    }

    /// The peer's route was asked again, and may say something else than what was stored. Returns when
    /// something is due by it.
    pub(crate) fn routed(&self) -> Option<u64> {
        self.watch.replace(watch(&self.peer, &self.socket));
        self.next_due()
    }

    /// The client was heard, now or at this earlier time.
    pub(crate) fn heard(&self, at: u64) {
        if self.watch.borrow_mut().heard(at) {
            self.socket.heard(at);
        }
    }

    /// A message of the client's arrived.
    pub(crate) fn spoke(&self, at: u64) {
        self.heard(at);
        if self.watch.borrow_mut().spoke(at) {
            self.socket.spoke(at);
        }
    }

    /// When to call [`keep_time`](Self::keep_time) next.
    pub(crate) fn next_due(&self) -> Option<u64> {
        if self.ended.get() {
            return None;
        }
        let closing = self.socket.closing_until();
        closing.or_else(|| self.watch().next_due())
    }

    /// Acts on what is due of the connection's time. How it ended, if that is the end: the client
    /// did not answer our close.
    pub(crate) fn keep_time(&self, now: u64) -> Option<Closed> {
        loop {
            if self.ended.get() {
                return None;
            }
            if let Some(until) = self.socket.closing_until() {
                let lost = || self.socket.closed(Closed::ABNORMAL, String::new(), false);
                return (until <= now).then(lost);
            }
            let due = self.watch().poll(now);
            match due? {
                LivenessEvent::Expired => self.peer.close(CloseCode::RESTART, "connection expired"),
                LivenessEvent::CredentialsExpired => self.expired(),
                LivenessEvent::Inactive => self.inactive(),
                LivenessEvent::Silent => self.silent(self.socket.close_deadline(now)),
                _ => {}
            }
        }
    }

    fn watch(&self) -> RefMut<'_, Watch> {
        let mut watch = self.watch.borrow_mut();
        watch.credentials(self.lifeline.expires_at());
        watch
    }

    /// The client was silent for too long: it is told, and heard no more.
    fn silent(&self, until: u64) {
        self.lifeline.ended();
        let frame = CloseFrame::new(CloseCode::TIMEOUT, "silent for too long");
        self.socket.close(frame, ClosedBy::Timeout, Some(until));
    }

    /// The peer's credentials have ended, or a sleep of its hooks.
    fn expired(&self) {
        if self.peer.state() == PeerState::Open
            && let Some(at) = self.lifeline.expires_at()
        {
            self.lifeline.expired(at);
            if self.peer.state() != PeerState::Open {
                self.socket.closed_by_time();
            }
        }
    }

    /// The client has sent no message for too long.
    fn inactive(&self) {
        if self.peer.state() == PeerState::Open {
            self.lifeline.inactive();
            self.socket.closed_by_time();
        }
    }

    /// A message arrived; one that is too big ends the connection.
    pub(crate) fn message(&self, message: Message) {
        if self.peer.state() != PeerState::Open {
            return;
        }
        let most = self.peer.settings().limits.max_message_size;
        if most.allows(message.len()) {
            return self.give(Event::Message(message));
        }
        let error = TooBig {
            len: message.len(),
            most: most.get(),
        };
        let frame = CloseFrame::new(CloseCode::TOO_BIG, "message too big");
        self.failed(Error::protocol(error), frame);
    }

    /// The client broke a rule: it is told which, and heard no more.
    pub(crate) fn failed(&self, error: Error, frame: CloseFrame) {
        self.peer.close(frame.code(), frame.reason().clone());
        self.give(Event::Failed(error));
    }

    /// The platform reports that the client broke the protocol, or that it lost the connection.
    pub(crate) fn broken(&self, error: &str) {
        if !self.lifeline.closed_here() {
            let frame = CloseFrame::new(CloseCode::PROTOCOL, "protocol error");
            self.failed(Error::protocol(error.to_owned()), frame);
        }
    }

    /// The connection is over: the peer leaves every list at once, its hook follows.
    pub(crate) fn closed(&self, closed: Closed) {
        self.lifeline.ended();
        if !self.ended.replace(true) {
            self.give(Event::Closed(closed));
        }
    }

    /// The peer's memory goes, its connection stays: no hook runs.
    pub(crate) fn abandon(&self) {
        self.take_seat();
        self.give(Event::Abandoned);
    }

    /// Whether all that is left is the `close` hook.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.get()
    }

    fn give(&self, event: Event) {
        if self.over.get() {
            return;
        }
        self.given.set(self.given.get() + 1);
        self.inbox.borrow_mut().push_back(event);
        // Taken first: what the hooks do may come back here.
        let idle = self.driver.borrow_mut().take();
        let Some(waker) = idle else {
            return;
        };
        let driver = self.running.borrow_mut().take();
        match driver {
            // Here and now, which spares a turn of the platform's queue for each event.
            Some(driver) => {
                if self
                    .run(driver, &mut Context::from_waker(&waker))
                    .is_ready()
                {
                    // So that its task comes to its end too.
                    waker.wake();
                }
            }
            None => waker.wake(),
        }
    }

    /// Makes this the future that runs the hooks, to be polled with [`poll_driver`].
    ///
    /// [`poll_driver`]: Self::poll_driver
    pub(crate) fn begin(&self, driver: impl Future<Output = ()> + 'static) {
        self.running.replace(Some(Box::pin(driver)));
    }

    /// Goes on with the hooks; ready when there is nothing left to run.
    pub(crate) fn poll_driver(&self, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.running.borrow_mut().take();
        driver.map_or(Poll::Ready(()), |driver| self.run(driver, cx))
    }

    fn run(&self, mut driver: Driver, cx: &mut Context<'_>) -> Poll<()> {
        let poll = driver.as_mut().poll(cx);
        if poll.is_pending() {
            self.running.replace(Some(driver));
        }
        poll
    }

    /// The next event, for the driver.
    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(event) = self.inbox.borrow_mut().pop_front() {
            return Poll::Ready(event);
        }
        self.driver.replace(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// One event was handled to its end.
    pub(crate) fn handled(&self) {
        self.handled.set(self.handled.get() + 1);
        self.wake_waiters();
    }

    /// No event will be handled any more.
    pub(crate) fn over(&self) {
        self.over.set(true);
        self.inbox.borrow_mut().clear();
        self.wake_waiters();
    }

    fn wake_waiters(&self) {
        let waiters = self.waiters.take();
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Waits until everything given so far was handled, so that the platform sees an event in
    /// flight for as long as its hook runs.
    pub(crate) async fn settled(&self) {
        let given = self.given.get();
        poll_fn(|cx| {
            if self.over.get() || self.handled.get() >= given {
                return Poll::Ready(());
            }
            self.waiters.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
