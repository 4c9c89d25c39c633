//! Readiness: a thread that waits for the system to say which sockets are worth another try.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use mio::{Events, Interest, Registry, Token, event};

use crate::executor::lock;

static REACTOR: LazyLock<Result<Reactor>> = LazyLock::new(|| {
    let poll = mio::Poll::new()?;
    let registry = poll.registry().try_clone()?;
    thread::spawn(|| watch(poll));
    Ok(Reactor {
        registry,
        sockets: Mutex::default(),
    })
});

struct Reactor {
    registry: Registry,
    sockets: Mutex<Sockets>,
}

#[derive(Default)]
struct Sockets {
    next: usize,
    wakers: HashMap<Token, Arc<Wakers>>,
}

/// Whom to wake when a socket can be read from, or written to.
#[derive(Default)]
struct Wakers {
    read: Mutex<Option<Waker>>,
    write: Mutex<Option<Waker>>,
}

/// A socket that the reactor watches.
pub(crate) struct Watched<S: event::Source> {
    pub(crate) socket: S,
    token: Token,
    wakers: Arc<Wakers>,
}

impl<S: event::Source> Watched<S> {
    /// # Errors
    /// When the system cannot watch it.
    pub(crate) fn new(mut socket: S) -> Result<Self> {
        let reactor = reactor()?;
        let wakers = Arc::new(Wakers::default());
        let token = {
            let mut sockets = lock(&reactor.sockets);
            let token = Token(sockets.next);
            sockets.next += 1;
            sockets.wakers.insert(token, Arc::clone(&wakers));
            token
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = reactor.registry.register(&mut socket, token, interest);
        let watched = Self {
            socket,
            token,
            wakers,
        };
        registered.map(|()| watched)
    }

    /// Tries to read, or to accept; `Pending` if there is nothing yet.
    pub(crate) fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        read: impl FnMut(&S) -> Result<T>,
    ) -> Poll<Result<T>> {
        self.attempt(&self.wakers.read, cx, read)
    }

    /// Tries to write; `Pending` if there is no room yet.
    pub(crate) fn poll_write<T>(
        &self,
        cx: &mut Context<'_>,
        write: impl FnMut(&S) -> Result<T>,
    ) -> Poll<Result<T>> {
        self.attempt(&self.wakers.write, cx, write)
    }

    fn attempt<T>(
        &self,
        waker: &Mutex<Option<Waker>>,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&S) -> Result<T>,
    ) -> Poll<Result<T>> {
        // First the waker, then the attempt: whatever becomes ready after the attempt finds it.
        let _former = lock(waker).replace(cx.waker().clone());
        loop {
            match attempt(&self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl<S: event::Source> Drop for Watched<S> {
    fn drop(&mut self) {
        if let Ok(reactor) = reactor() {
            let _ = reactor.registry.deregister(&mut self.socket);
            let _wakers = lock(&reactor.sockets).wakers.remove(&self.token);
        }
    }
}

fn reactor() -> Result<&'static Reactor> {
    let reactor = REACTOR.as_ref();
    reactor.map_err(|error| Error::new(error.kind(), error.to_string()))
}

fn watch(mut poll: mio::Poll) {
    let mut events = Events::with_capacity(1024);
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // Not even waiting works: there is nothing left to do with sockets.
            Err(_) => return,
            Ok(()) => {}
        }
        let Ok(reactor) = reactor() else { return };
        for event in &events {
            let wakers = lock(&reactor.sockets).wakers.get(&event.token()).cloned();
            let Some(wakers) = wakers else { continue };
            let broken = event.is_error();
            if broken || event.is_readable() || event.is_read_closed() {
                wake(&wakers.read);
            }
            if broken || event.is_writable() || event.is_write_closed() {
                wake(&wakers.write);
            }
        }
    }
}

/// Takes the waker out of its lock first: waking may run anything.
fn wake(waker: &Mutex<Option<Waker>>) {
    let waker = lock(waker).take();
    waker.inspect(Waker::wake_by_ref);
}
