pub(crate) mod cleanup;

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::bounds::BoxFuture;
use crate::error::{Error, HookKind};
use crate::hooks::catch::catch;
use crate::hooks::notice::{Kind, Notice};
use crate::message::Message;
use crate::observe::watch::{CountedRun, Remaining, WatchedHook};
use crate::peer::Peer;
use crate::peer::inbox::{Inbox, New, Work, drop_each};

/// The futures of one connection while they run. Boxed, because most have none.
#[derive(Default)]
pub(crate) struct Tasks(Option<Box<Futures>>, CountedRun);

#[derive(Default)]
struct Futures {
    running: Vec<BoxFuture<'static, Result<(), Error>>>,
    /// Run at the connection's end, the last one first.
    cleanups: Vec<Work>,
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

    fn add(&mut self, notices: Vec<Notice>, cleanups: Vec<Work>) {
        for notice in notices {
            let notice = notice.merge(self.due.back_mut());
            self.due.extend(notice);
        }
        self.cleanups.extend(cleanups);
    }
}

impl Tasks {
    /// Polls every future, after taking over new ones from `inbox`.
    ///
    /// All of them are polled at each wake-up: a connection has few, and they share the
    /// connection's own task.
    pub(crate) fn poll(&mut self, peer: &Peer, cx: &mut Context<'_>) {
        self.end_run(peer);
        let new = peer.inbox().poll(cx);
        if new.is_some() {
            self.0.get_or_insert_default();
        }
        let Some(tasks) = &mut self.0 else {
            return;
        };
        let New {
            futures,
            cleanups,
            notices,
        } = new.map(|new| *new).unwrap_or_default();
        tasks.add(notices, cleanups);
        let Futures { running, due, .. } = &mut **tasks;
        let caught = |future| -> BoxFuture<'static, _> { Box::pin(catch(HookKind::Task, future)) };
        running.extend(futures.into_iter().map(caught));
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
        if let Some((notices, cleanups)) = inbox.take_rest() {
            self.0.get_or_insert_default().add(notices, cleanups);
        }
    }

    /// Returns the next work for the connection's end: the one that was registered last.
    pub(crate) fn take_cleanup(&mut self, inbox: &Inbox) -> Option<Work> {
        self.collect(inbox);
        self.0.as_mut()?.cleanups.pop()
    }

    /// Runs a hook's future to its end, and the peer's own futures concurrently.
    pub(crate) fn alongside<'a, F>(&'a mut self, peer: &'a Peer, future: F) -> Alongside<'a, F> {
        if let Some(hook) = peer.watch().and_then(|watch| watch.hook(peer)) {
            self.set_watched(hook);
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

    /// Reports a message of a followed peer before its hook. Moved and returned: borrowing the message
    /// would copy it once more.
    #[cold]
    #[inline(never)]
    pub(crate) fn report(&mut self, peer: &Peer, message: Message, rest: Remaining) -> Message {
        let watch = peer.watch();
        if let Some(hook) = watch.and_then(|watch| watch.received(peer, &message, rest)) {
            self.set_watched(hook);
        }
        message
    }

    /// Sets the observed state of the next hook, until it ends.
    fn set_watched(&mut self, watched: WatchedHook) {
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
        drop_each(tasks.cleanups.into_iter().rev());
        drop_each(tasks.running);
    }
}
