//! The tasks of a server that work for its connections while the connections' own tasks sleep.

#[cfg(all(test, not(crossws_shuttle)))]
mod tests;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::available_parallelism;

use crate::driver::stage::Stage;
use crate::runtime::ServerRuntime;
use crate::server::tasks::Tasks;
use crossws_proto::sync::Mutex;

/// Writes a room's messages in a few tasks of its own. A server has one, on its runtime, for its own
/// connections; the tasks end with the last of these and the server's
/// handle, or when a shutdown is over.
///
/// The tasks run no application code, so that a hook that takes its time delays no other
/// connection's messages.
pub(crate) struct Crew<G>(Arc<Groups<G>>);

/// Connections that one turn of a member writes for. Dropping it wakes their own tasks.
pub(crate) trait Group: Send + 'static {
    /// Writes for each connection what can be written without waiting. Their own tasks write the
    /// rest.
    fn write(self);
}

struct Groups<G>(Mutex<Work<G>>);

struct Work<G> {
    groups: VecDeque<G>,
    members: usize,
    /// The members that have nothing to do.
    resting: Vec<(usize, Waker)>,
    over: bool,
}

/// The smallest number of members: see [`Crew::add`].
const MEMBERS: usize = 2;

/// The largest number of members: more would not write faster than a system's network stack.
const MOST_MEMBERS: usize = 8;

/// At most this many groups wait; the connections of any further group are woken one by one.
const MOST_GROUPS: usize = 1024;

impl<G: Group> Crew<G> {
    /// Creates a crew without members.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Groups(Mutex::new(Work {
            groups: VecDeque::new(),
            members: 0,
            resting: Vec::new(),
            over: false,
        }))))
    }

    /// Adds members, which run on this runtime.
    pub(crate) fn hire<T: ServerRuntime>(&self, tasks: &Tasks, runtime: &T) {
        let count = available_parallelism()
            .map_or(MEMBERS, |count| count.get().clamp(MEMBERS, MOST_MEMBERS));
        for number in 0..count {
            tasks.spawn(runtime, Stage::last(self.member(number)));
        }
    }

    pub(crate) fn member(&self, number: usize) -> Member<G> {
        self.0.0.lock().members += 1;
        Member {
            number,
            awake: true,
            groups: Arc::clone(&self.0),
        }
    }

    /// Ensures that a member writes for this group soon, outside this call. Publications until then
    /// leave in the same writes.
    pub(crate) fn add(&self, group: G) {
        let mut work = self.0.0.lock();
        if work.members == 0 || work.groups.len() == MOST_GROUPS {
            drop(work);
            // Its drop wakes them.
            return drop(group);
        }
        work.groups.push_back(group);
        // Two, because one may be set to run next on this thread, where it waits for a hook that
        // goes on after it has published.
        let resting = [work.resting.pop(), work.resting.pop()];
        drop(work);
        for (_, waker) in resting.into_iter().flatten() {
            waker.wake();
        }
    }
}

impl<G> Drop for Crew<G> {
    fn drop(&mut self) {
        let resting = {
            let mut work = self.0.0.lock();
            work.over = true;
            std::mem::take(&mut work.resting)
        };
        for (_, waker) in resting {
            waker.wake();
        }
    }
}

/// One task: takes a group of connections at a time, and lets other tasks run in between.
pub(crate) struct Member<G> {
    number: usize,
    /// Whether the member looks for work, or for whether there is work.
    awake: bool,
    groups: Arc<Groups<G>>,
}

impl<G> Member<G> {
    /// Returns the next group. Without one the member rests until there is one, or until the crew
    /// ends.
    fn next(&mut self, cx: &Context<'_>) -> Found<G> {
        let mut work = self.groups.0.lock();
        work.resting.retain(|(number, _)| *number != self.number);
        if work.groups.is_empty() {
            if work.over {
                return Found::Over;
            }
            work.resting.push((self.number, cx.waker().clone()));
            self.awake = false;
            return Found::Nothing;
        }
        match std::mem::replace(&mut self.awake, true) {
            true => work.groups.pop_front().map_or(Found::Nothing, Found::Group),
            false => Found::Later,
        }
    }
}

enum Found<G> {
    Group(G),
    /// There is something to do after the tasks that are ready: they may publish to the same
    /// connections.
    Later,
    Nothing,
    Over,
}

impl<G: Group> Future for Member<G> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.next(cx) {
            Found::Group(group) => {
                // The others of its group are woken, and so is the connection itself: if its stream
                // panics again, that is its own task's end.
                if catch_unwind(AssertUnwindSafe(|| group.write())).is_err() {
                    tracing::error!("a stream panicked while the crew wrote to it");
                }
            }
            Found::Later => {}
            Found::Nothing => return Poll::Pending,
            Found::Over => return Poll::Ready(()),
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<G> Drop for Member<G> {
    fn drop(&mut self) {
        let mut groups = VecDeque::new();
        let mut other = None;
        {
            let mut work = self.groups.0.lock();
            work.members -= 1;
            work.resting.retain(|(number, _)| *number != self.number);
            if work.members == 0 {
                std::mem::swap(&mut groups, &mut work.groups);
            } else if !work.groups.is_empty() {
                other = work.resting.pop();
            }
        }
        if let Some((_, waker)) = other {
            waker.wake();
        }
        // The members of the remaining groups are woken.
        drop(groups);
    }
}
