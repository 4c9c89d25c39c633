//! The signals that tell a process to stop.

#[cfg(not(windows))]
pub use crossws_native::{StopSignal, stop_signal};
#[cfg(windows)]
pub use windows::{StopSignal, stop_signal};

#[cfg(windows)]
mod windows {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

    /// Watches for Ctrl-C, Ctrl-Break, the console's close and the system's shutdown. The returned
    /// future resolves at the first of them. The second ends the process at once, which cuts a long
    /// shutdown short.
    ///
    /// Windows itself ends the process some seconds after a close.
    ///
    /// ```no_run
    /// # use crossws_core::Resolve;
    /// # use crossws_tokio::{Server, Shutdown, stop_signal};
    /// # async fn run<R: Resolve>(server: Server<R>) -> std::io::Result<()> {
    /// let report = server.run_until(stop_signal()?, Shutdown::default()).await?;
    /// println!("{report}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the console's events cannot be watched.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn stop_signal() -> io::Result<StopSignal> {
        let mut ctrl_c = ctrl_c()?;
        let mut ctrl_break = ctrl_break()?;
        let mut close = ctrl_close()?;
        let mut shutdown = ctrl_shutdown()?;
        let mut next = move |cx: &mut Context<'_>| {
            let events = [
                ctrl_c.poll_recv(cx),
                ctrl_break.poll_recv(cx),
                close.poll_recv(cx),
                shutdown.poll_recv(cx),
            ];
            match events.iter().any(Poll::is_ready) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        };
        Ok(StopSignal(Some(Box::pin(async move {
            std::future::poll_fn(&mut next).await;
            tokio::spawn(async move {
                std::future::poll_fn(&mut next).await;
                std::process::exit(1);
            });
        }))))
    }

    /// A future that resolves when a signal stops the process: see [`stop_signal`]. It may be polled again
    /// after that.
    #[must_use = "a future does nothing until it is polled"]
    pub struct StopSignal(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

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
}
