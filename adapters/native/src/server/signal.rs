//! The signals that tell a process to stop.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use event_listener::{Event, EventListener};

use crossws_proto::sync::Mutex;

/// Watches for SIGINT and SIGTERM: Ctrl-C in a terminal, and what systemd, Docker and Kubernetes
/// send. The returned future resolves at the first of them.
///
/// The second signal ends the process at once, as it would without this function, which cuts a long
/// shutdown short. A separate thread watches, so that this works while every task of the runtime is
/// blocked.
///
/// The signals belong to the process, not to a server: every future of this function resolves at
/// the first signal, and at once if the signal has already come. After the first call, neither
/// signal ends the process by itself.
///
/// ```no_run
/// # use crossws_core::Resolve;
/// # use crossws_native::{Server, ServerRuntime, Shutdown, stop_signal};
/// # async fn run<R: Resolve, T: ServerRuntime>(server: Server<R, T>) -> std::io::Result<()> {
/// let report = server.run_until(stop_signal()?, Shutdown::default()).await?;
/// println!("{report}");
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the signals cannot be watched because threads or file descriptors have run out. Then
/// nothing has changed. [`Unsupported`](io::ErrorKind::Unsupported) if the system has no such
/// signals: on Windows, `crossws-tokio` has its own function of this name.
pub fn stop_signal() -> io::Result<StopSignal> {
    static WATCHED: Mutex<Option<Arc<Stopping>>> = Mutex::new(None);
    let mut watched = WATCHED.lock();
    let stopping = match &*watched {
        Some(stopping) => Arc::clone(stopping),
        None => Arc::clone(watched.insert(watch()?)),
    };
    Ok(StopSignal {
        stopping,
        listener: None,
    })
}

/// Starts the thread that watches.
#[cfg(unix)]
fn watch() -> io::Result<Arc<Stopping>> {
    use std::sync::mpsc;
    use std::thread;

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let stopping = Arc::new(Stopping::default());
    let told = Arc::clone(&stopping);
    // The thread starts first: without it, registered signals would be lost.
    let (sender, receiver) = mpsc::channel::<Signals>();
    thread::Builder::new()
        .name("crossws-signals".to_owned())
        .spawn(move || {
            let Ok(mut signals) = receiver.recv() else {
                return;
            };
            for signal in signals.forever() {
                if !told.begin() {
                    let _ = emulate_default_handler(signal);
                }
            }
        })?;
    let signals = Signals::new([SIGINT, SIGTERM])?;
    sender.send(signals).map_err(io::Error::other)?;
    Ok(stopping)
}

#[cfg(not(unix))]
fn watch() -> io::Result<Arc<Stopping>> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "signals that stop a process are watched on Unix only",
    ))
}

/// Whether a signal has stopped the process.
#[derive(Debug, Default)]
struct Stopping {
    begun: AtomicBool,
    changed: Event,
}

impl Stopping {
    /// Returns whether this was the first signal.
    #[cfg(unix)]
    fn begin(&self) -> bool {
        let first = !self.begun.swap(true, Ordering::SeqCst);
        self.changed.notify(usize::MAX);
        first
    }
}

/// A future that resolves when a signal stops the process: see [`stop_signal`].
#[must_use = "a future does nothing until it is polled"]
pub struct StopSignal {
    stopping: Arc<Stopping>,
    listener: Option<EventListener>,
}

impl Future for StopSignal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while !self.stopping.begun.load(Ordering::SeqCst) {
            match &mut self.listener {
                Some(listener) => {
                    ready!(Pin::new(listener).poll(cx));
                    self.listener = None;
                }
                // Checked again: the signal may have come before the listener existed.
                None => self.listener = Some(self.stopping.changed.listen()),
            }
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopSignal")
            .field(&self.stopping.begun)
            .finish()
    }
}
