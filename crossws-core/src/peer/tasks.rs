pub(crate) mod cleanup;

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::bounds::BoxFuture;
use crate::error::{Error, HookKind};
use crate::hooks::catch::{catch, contained};
use crate::hooks::notice::{Kind, Notice};
use crate::hooks::output::HookResult;
use crate::observe::watch::{CountedRun, Remaining, WatchedHook};
use crate::peer::Peer;
use crate::sync::Mutex;

/// The futures that live as long as one connection: the application passes them to the peer, and
/// the session polls them.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Default)]
struct State {
    /// Boxed, because most peers have none.
    new: Option<Box<New>>,
    waker: Option<Waker>,
    over: bool,
}

/// New work since the session's last look.
#[derive(Default)]
struct New {
    futures: Vec<BoxFuture<'static, HookResult>>,
    cleanups: Vec<BoxFuture<'static, HookResult>>,
    notices: Vec<Notice>,
}

impl Inbox {
    /// Passes a future to the session; drops it if the session is over.
    pub(crate) fn push(&self, future: BoxFuture<'static, HookResult>) {
        let mut state = self.0.lock();
        if state.over {
            drop(state);
            contained(|| drop(future));
            return;
        }
        state.new.get_or_insert_default().futures.push(future);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Adds a future that runs at the connection's end. Returns `false`, and drops it, if the
    /// session is over.
    pub(crate) fn push_cleanup(&self, future: BoxFuture<'static, HookResult>) -> bool {
        let mut state = self.0.lock();
        let over = state.over;
        if over {
            drop(state);
            contained(|| drop(future));
        } else {
            state.new.get_or_insert_default().cleanups.push(future);
        }
        !over
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
        let new = std::mem::take(&mut state.new);
        // A peer that is kept for long must not keep the task that once polled it.
        let waker = state.waker.take();
        drop(state);
        drop(waker);
        if let Some(new) = new {
            new.futures
                .into_iter()
                .for_each(|future| contained(|| drop(future)));
            drop_cleanups(new.cleanups);
        }
    }
}

/// Drops the last one first.
fn drop_cleanups(mut cleanups: Vec<BoxFuture<'static, HookResult>>) {
    while let Some(future) = cleanups.pop() {
        contained(|| drop(future));
    }
}

/// The futures of one connection while they run. Boxed, because most have none.
#[derive(Default)]
pub(crate) struct Tasks(Option<Box<Futures>>, CountedRun);

#[derive(Default)]
struct Futures {
    running: Vec<BoxFuture<'static, Result<(), Error>>>,
    /// Run at the connection's end, the last one first.
    cleanups: Vec<BoxFuture<'static, HookResult>>,
    due: VecDeque<Notice>,
    /// The observed state of the running hook.
    watched: Option<WatchedHook>,
}

impl Futures {
    fn is_empty(&self) -> bool {
        self.running.is_empty()
            && self.due.is_empty()
            && self.cleanups.is_empty()
            && self.watched.is_none()
    }

    fn add(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            let notice = notice.merge(self.due.back_mut());
            self.due.extend(notice);
        }
    }
}

impl Tasks {
    /// Polls every future, after taking over new ones from `inbox`.
    ///
    /// All of them are polled at each wake-up: a connection has few, and they share the
    /// connection's own task.
    pub(crate) fn poll(&mut self, peer: &Peer, cx: &mut Context<'_>) {
        self.end_run(peer);
        let mut state = peer.inbox().0.lock();
        let new = std::mem::take(&mut state.new);
        let old = match &state.waker {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => state.waker.replace(cx.waker().clone()),
        };
        drop(state);
        // Outside the lock: it may be the last handle to a task, whose destructors run here.
        drop(old);
        if new.is_some() {
            self.0.get_or_insert_default();
        }
        let Some(tasks) = &mut self.0 else {
            return;
        };
        let new = new.map(|new| *new).unwrap_or_default();
        let New {
            futures,
            cleanups,
            notices,
        } = new;
        tasks.add(notices);
        tasks.cleanups.extend(cleanups);
        let Futures { running, due, .. } = &mut **tasks;
        let futures = futures.into_iter();
        running
            .extend(futures.map(|future| -> BoxFuture<'static, _> {
                Box::pin(catch(HookKind::Task, future))
            }));
        running.retain_mut(|future| match future.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                due.extend(result.err().map(|error| Notice(Kind::Failed(error))));
                false
            }
        });
        self.0.take_if(|tasks| tasks.is_empty());
    }

    /// Counts a message of a followed peer, of `bytes`, for its hub and for itself.
    #[inline]
    pub(crate) fn count(&mut self, peer: &Peer, bytes: usize) -> Remaining {
        self.1.count(peer, bytes)
    }

    /// Adds what was counted to the hub's counts.
    #[inline]
    pub(crate) fn end_run(&mut self, peer: &Peer) {
        self.1.end(peer);
    }

    /// Returns the oldest notice that is due.
    pub(crate) fn take_notice(&mut self) -> Option<Notice> {
        self.0.as_mut()?.due.pop_front()
    }

    /// Whether nothing is left to be run but futures that run concurrently with others.
    pub(crate) fn is_done(&self) -> bool {
        let tasks = self.0.as_ref();
        tasks.is_none_or(|tasks| tasks.cleanups.is_empty() && tasks.due.is_empty())
    }

    /// Takes over what was left to be run, and polls no future.
    pub(crate) fn collect(&mut self, inbox: &Inbox) {
        let (notices, cleanups) = match &mut inbox.0.lock().new {
            Some(new) => (
                std::mem::take(&mut new.notices),
                std::mem::take(&mut new.cleanups),
            ),
            None => return,
        };
        let tasks = self.0.get_or_insert_default();
        tasks.add(notices);
        tasks.cleanups.extend(cleanups);
    }

    /// Returns the next work for the connection's end: the one that was registered last.
    pub(crate) fn take_cleanup(&mut self, inbox: &Inbox) -> Option<BoxFuture<'static, HookResult>> {
        self.collect(inbox);
        self.0.as_mut()?.cleanups.pop()
    }

    /// Runs a hook's future to its end, and the peer's own futures concurrently.
    pub(crate) fn alongside<'a, F>(&'a mut self, peer: &'a Peer, future: F) -> Alongside<'a, F> {
        if let Some(watch) = peer.watch() {
            watch.hook(peer, self);
        }
        self.alongside_message(peer, future)
    }

    /// As [`alongside`](Self::alongside), for the hook of a message that the observers know of.
    pub(crate) fn alongside_message<'a, F>(
        &'a mut self,
        peer: &'a Peer,
        future: F,
    ) -> Alongside<'a, F> {
        Alongside {
            tasks: self,
            peer,
            future,
        }
    }

    /// Sets the observed state of the next hook, until it ends.
    pub(crate) fn set_watched(&mut self, watched: WatchedHook) {
        self.0.get_or_insert_default().watched = Some(watched);
    }

    /// Enters the span of a hook that is being polled, if it is observed.
    #[cold]
    fn enter(&self) {
        if let Some(watched) = self.0.as_ref().and_then(|it| it.watched.as_ref()) {
            watched.enter();
        }
    }

    /// Leaves the span of a hook that was polled, and ends it if `is_over`.
    #[cold]
    fn exit(&mut self, peer: &Peer, is_over: bool) {
        if let Some(futures) = &mut self.0
            && let Some(watched) = &futures.watched
        {
            watched.exit();
            if is_over && let Some(watched) = futures.watched.take() {
                watched.end(peer);
            }
        }
        self.0.take_if(|futures| futures.is_empty());
    }
}

pin_project! {
    /// See [`Tasks::alongside`].
    pub(crate) struct Alongside<'a, F> {
        tasks: &'a mut Tasks,
        peer: &'a Peer,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Alongside<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let is_busy = this.tasks.0.is_some();
        if is_busy {
            this.tasks.enter();
        }
        // A hook's panic is caught inside: the span is left in any case.
        let output = this.future.poll(cx);
        if output.is_pending() {
            this.tasks.poll(this.peer, cx);
        }
        if is_busy {
            this.tasks.exit(this.peer, output.is_ready());
        }
        output
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        let Some(tasks) = self.0.take() else {
            return;
        };
        drop_cleanups(tasks.cleanups);
        for future in tasks.running {
            contained(|| drop(future));
        }
    }
}
