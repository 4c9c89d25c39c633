//! The deadlines of a connection.

use std::task::Context;
use std::time::Duration;

use super::{Link, since};
use crate::driver::task_handle::steady;
use crate::runtime::Runtime;
use crate::runtime::io::Io;

impl<I: Io, R: Runtime> Link<I, R> {
    /// Acts on passed deadlines. Returns whether there is something to write for them.
    pub(super) fn keep_time(&mut self, cx: &mut Context<'_>) -> bool {
        if self.connection.is_over() {
            self.alarm.cancel(self.connection.queue(), self.start);
            return false;
        }
        let elapsed = self.elapsed();
        let deadline = self.connection.poll_timeout(elapsed, steady);
        let handle = self.connection.queue();
        let due = self
            .alarm
            .poll(handle, &self.runtime, self.start, elapsed, deadline, cx);
        if due.is_ready() {
            self.connection.handle_timeout(self.elapsed());
        }
        due.is_ready()
    }

    pub(super) fn elapsed(&self) -> Duration {
        since(&self.runtime, self.start)
    }
}
