//! The deadlines of a connection.

use std::task::Context;
use std::time::Duration;

use futures_task::waker_ref;

use super::{Link, since};
use crate::driver::task_handle::steady;
use crate::driver::timer::{Timer, later};
use crate::runtime::Runtime;
use crate::runtime::io::Io;

impl<I: Io, R: Runtime> Link<I, R> {
    /// Acts on passed deadlines. Returns whether there is something to write for them.
    pub(super) fn keep_time(&mut self) -> bool {
        if self.connection.is_over() {
            self.timer = Timer::new();
            return false;
        }
        let now = self.runtime.now();
        let elapsed = now.saturating_duration_since(self.start);
        let deadline = self.connection.poll_timeout(elapsed, steady);
        let deadline = deadline.map(|deadline| later(self.start, deadline));
        // It wakes whichever task polls the connection, so that it is asked once.
        if self.timer.is_armed(now, deadline) {
            return false;
        }
        let waker = waker_ref(self.connection.queue());
        let cx = &mut Context::from_waker(&waker);
        let is_due = self.timer.poll(&self.runtime, now, deadline, cx).is_ready();
        if is_due {
            self.connection.handle_timeout(self.elapsed());
        }
        is_due
    }

    pub(super) fn elapsed(&self) -> Duration {
        since(&self.runtime, self.start)
    }
}
