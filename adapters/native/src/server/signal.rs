//! The signals that tell a process to stop.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crossws_proto::sync::Mutex;

use crate::server::stop::Stop;

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
    static WATCHED: Mutex<Option<Stop>> = Mutex::new(None);
    let mut watched = WATCHED.lock();
    let stop = match &*watched {
        Some(stop) => stop,
        None => watched.insert(watch()?),
    };
    let watch = stop.watch();
    Ok(StopSignal(Some(Box::pin(
        async move { watch.stopping().await },
    ))))
}

/// Starts the thread that watches.
#[cfg(unix)]
fn watch() -> io::Result<Stop> {
    use std::sync::mpsc;
    use std::thread;

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let stop = Stop::default();
    let told = stop.clone();
    // The thread starts first: without it, registered signals would be lost.
    let (sender, receiver) = mpsc::channel::<Signals>();
    thread::Builder::new()
        .name("crossws-signals".to_owned())
        .spawn(move || {
            let Ok(mut signals) = receiver.recv() else {
                return;
            };
            for signal in signals.forever() {
                if !told.stop() {
                    let _ = emulate_default_handler(signal);
                }
            }
        })?;
    let signals = Signals::new([SIGINT, SIGTERM])?;
    sender.send(signals).map_err(io::Error::other)?;
    Ok(stop)
}

#[cfg(not(unix))]
fn watch() -> io::Result<Stop> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "signals that stop a process are watched on Unix only",
    ))
}

/// A future that resolves when a signal stops the process: see [`stop_signal`]. It may be polled again after
/// that.
#[must_use = "a future does nothing until it is polled"]
pub struct StopSignal(Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>);

impl Future for StopSignal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(signal) = &mut self.0 {
            ready!(signal.as_mut().poll(cx));
            self.0 = None;
        }
        Poll::Ready(())
    }
}

crossws_core::opaque_debug!(StopSignal);

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_signal_that_has_come_may_be_polled_again() {
        let mut signal = StopSignal(Some(Box::pin(std::future::ready(()))));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            assert!(Pin::new(&mut signal).poll(&mut cx).is_ready());
        }
    }
}
