//! What the application and other peers leave for a connection's session.

use std::task::{Context, Waker};

use crate::bounds::BoxFuture;
use crate::hooks::catch::contained;
use crate::hooks::notice::Notice;
use crate::hooks::output::HookResult;
use crate::sync::Mutex;

/// The futures that live as long as one connection: the application passes them to the peer, and
/// the session polls them.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<InboxState>);

#[derive(Default)]
struct InboxState {
    /// Boxed, because most peers have none.
    new: Option<Box<New>>,
    waker: Option<Waker>,
    over: bool,
}

/// New work since the session's last look.
#[derive(Default)]
pub(super) struct New {
    pub(super) futures: Vec<Work>,
    pub(super) cleanups: Vec<Work>,
    pub(super) notices: Vec<Notice>,
}

/// A future of the application.
pub(super) type Work = BoxFuture<'static, HookResult>;

impl Inbox {
    /// Passes a future to the session; drops it if the session is over.
    pub(crate) fn push(&self, future: Work) {
        if self.add(future, |new| &mut new.futures) {
            self.wake();
        }
    }

    /// Adds a future that runs at the connection's end. Returns `false`, and drops it, if the
    /// session is over.
    pub(crate) fn push_cleanup(&self, future: Work) -> bool {
        self.add(future, |new| &mut new.cleanups)
    }

    fn add(&self, future: Work, to: fn(&mut New) -> &mut Vec<Work>) -> bool {
        let mut state = self.0.lock();
        if state.over {
            drop(state);
            contained(|| drop(future));
            return false;
        }
        to(state.new.get_or_insert_default()).push(future);
        true
    }

    /// Queues a hook, and wakes the session. Drops it if the session is over.
    pub(crate) fn notify(&self, notice: Notice) {
        self.leave(notice);
        self.wake();
    }

    /// Queues a hook for when the session is woken. Drops it if the session is over.
    pub(crate) fn leave(&self, notice: Notice) {
        let mut state = self.0.lock();
        if state.over {
            return;
        }
        let notices = &mut state.new.get_or_insert_default().notices;
        if let Some(notice) = notice.merge(notices.last_mut()) {
            notices.push(notice);
        }
    }

    /// Wakes the session.
    pub(crate) fn wake(&self) {
        let waker = self.0.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes what is new, and notes whom to wake for more.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Option<Box<New>> {
        let mut state = self.0.lock();
        let new = state.new.take();
        let old = match &state.waker {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => state.waker.replace(cx.waker().clone()),
        };
        drop(state);
        // Outside the lock: it may be the last handle to a task, whose destructors run here.
        drop(old);
        new
    }

    /// Takes what must run at the connection's end. Futures stay.
    pub(super) fn take_rest(&self) -> Option<(Vec<Notice>, Vec<Work>)> {
        let mut state = self.0.lock();
        let New {
            notices, cleanups, ..
        } = state.new.as_deref_mut()?;
        Some((std::mem::take(notices), std::mem::take(cleanups)))
    }

    /// Takes no more, unless there is something new that must run. Returns whether it takes no more.
    pub(crate) fn end(&self) -> bool {
        let mut state = self.0.lock();
        let new = state.new.as_deref();
        let must_run = new.is_some_and(|new| !new.cleanups.is_empty() || !new.notices.is_empty());
        state.over |= !must_run;
        state.over
    }

    /// Refuses further futures, and drops those that were never polled.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        state.over = true;
        let new = state.new.take();
        // A peer that is kept for long must not keep the task that once polled it.
        let waker = state.waker.take();
        drop(state);
        drop(waker);
        if let Some(new) = new {
            drop_each(new.futures);
            drop_each(new.cleanups.into_iter().rev());
        }
    }
}

/// Drops futures of the application one by one, whose destructors may panic.
pub(super) fn drop_each<T>(futures: impl IntoIterator<Item = T>) {
    for future in futures {
        contained(|| drop(future));
    }
}
