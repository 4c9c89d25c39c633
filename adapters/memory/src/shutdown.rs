use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use crossws_core::{BoxFuture, CloseCode, CloseFrame};

use crate::clock::Alarm;
use crate::server::World;

/// A shutdown to be awaited: see [`TestServer::shutdown`](crate::TestServer::shutdown).
///
/// While it waits, virtual time moves on by itself, from one timer to the next, so that clients
/// who do not answer the close frame are given up. It does not move to the end of the grace: a
/// hook that waits for something real is waited for, unless the test advances the time past it.
///
/// # Cancel safety
/// Dropping the future after its first poll leaves the server shutting down, without the wait.
#[must_use = "nothing is shut down until it is awaited"]
pub struct Shutdown {
    world: Arc<World>,
    frame: CloseFrame,
    grace: Duration,
}

/// What a shutdown did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Connections that were open, or being upgraded, when it began.
    pub told: usize,
    /// Of these, the ones whose last hook has ended.
    pub finished: usize,
    /// Of these, the ones that were dropped at an await when the grace was over: their `close`
    /// hook did not run to its end.
    pub forced: usize,
}

impl Shutdown {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self {
            world,
            frame: CloseFrame::new(CloseCode::RESTART, "restarting"),
            grace: Duration::from_secs(30),
        }
    }

    /// Closes with this frame instead of 1012.
    pub fn frame(mut self, frame: impl Into<CloseFrame>) -> Self {
        self.frame = frame.into();
        self
    }

    /// How much virtual time hooks have to come to their end before they are dropped. Default
    /// 30 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    async fn run(self) -> Report {
        let World {
            hub,
            clock,
            executor,
            ..
        } = &*self.world;
        let told = hub.stats().sessions;
        let mut forced = 0;
        hub.shutdown(self.frame);
        let deadline = clock.now().saturating_add(self.grace);
        let mut alarm = Alarm::passive(clock);
        let waiter = executor.waiter();
        let mut idle = pin!(hub.idle());
        poll_fn(|cx| {
            loop {
                ready!(executor.poll_quiet(&waiter, cx));
                if idle.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                if clock.now() >= deadline {
                    forced = hub.stats().sessions;
                    return Poll::Ready(());
                }
                if !clock.step_to_alarm(deadline) {
                    alarm.set(Some(deadline), cx.waker());
                    return Poll::Pending;
                }
            }
        })
        .await;
        // Those without a session too: upgrades, and last frames that nobody takes.
        executor.cancel_all();
        Report {
            told,
            finished: told.saturating_sub(forced),
            forced,
        }
    }
}

impl IntoFuture for Shutdown {
    type Output = Report;
    type IntoFuture = BoxFuture<'static, Report>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("frame", &self.frame)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
