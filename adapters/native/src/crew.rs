//! The tasks that write for connections whose own tasks sleep.

#[cfg(all(test, not(crossws_shuttle)))]
mod tests;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::available_parallelism;

use crossws_core::{Asleep, Flusher, Hub};

use crate::runtime::ServerRuntime;
use crate::stage::Stage;
use crate::sync::Mutex;
use crate::tasks::Tasks;

/// Writes a room's messages in a few tasks of its own. A server has one; its members end with it.
///
/// They run no code of an app, so that a hook that takes its time holds up nobody's messages.
#[derive(Clone, Default)]
pub(crate) struct Crew(Arc<Handle>);

/// Ends the members when the last of it is dropped: they hold only what is shared.
#[derive(Default)]
struct Handle(Arc<Shared>);

#[derive(Default)]
struct Shared(Mutex<Work>);

#[derive(Default)]
struct Work {
    groups: VecDeque<Asleep>,
    members: usize,
    /// Those with nothing to do.
    resting: Vec<(usize, Waker)>,
    over: bool,
}

/// More would not write faster than a system's network stack.
const MOST_MEMBERS: usize = 8;

impl Crew {
    /// Sees to it that this hub's publications are written by members that run on this runtime, if
    /// there are none yet, or no more.
    pub(crate) fn hire<T: ServerRuntime>(&self, hub: &Hub, tasks: &Tasks, runtime: &T) {
        let shared = &self.0.0;
        let count = available_parallelism().map_or(1, |count| count.get().min(MOST_MEMBERS));
        {
            let mut work = shared.0.lock();
            if work.members > 0 {
                return;
            }
            work.members = count;
        }
        for number in 0..count {
            let member = Member {
                number,
                awake: true,
                shared: Arc::clone(shared),
            };
            tasks.spawn(runtime, Stage::last(member));
        }
        hub.set_flusher(self.0.clone());
    }
}

impl Flusher for Handle {
    fn flush(&self, asleep: Asleep) {
        let mut work = self.0.0.lock();
        if work.members == 0 {
            drop(work);
            // Its drop wakes them.
            return drop(asleep);
        }
        work.groups.push_back(asleep);
        let member = work.resting.pop();
        drop(work);
        if let Some((_, waker)) = member {
            waker.wake();
        }
    }
}

impl Drop for Handle {
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

/// One task: takes a group of connections at a time, and lets others run in between.
struct Member {
    number: usize,
    /// Whether it looks for work, or for whether there is work.
    awake: bool,
    shared: Arc<Shared>,
}

impl Member {
    /// The next group; or else it rests until there is one, or is told that it is over.
    fn next(&mut self, cx: &Context<'_>) -> Next {
        let mut work = self.shared.0.lock();
        work.resting.retain(|(number, _)| *number != self.number);
        if work.groups.is_empty() {
            if work.over {
                return Next::Over;
            }
            work.resting.push((self.number, cx.waker().clone()));
            self.awake = false;
            return Next::Nothing;
        }
        match std::mem::replace(&mut self.awake, true) {
            true => work.groups.pop_front().map_or(Next::Nothing, Next::Group),
            false => Next::Later,
        }
    }
}

enum Next {
    Group(Asleep),
    /// There is something to do, after those who are ready: they may publish to the same
    /// connections.
    Later,
    Nothing,
    Over,
}

impl Future for Member {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.next(cx) {
            Next::Group(group) => group.flush(),
            Next::Later => {}
            Next::Nothing => return Poll::Pending,
            Next::Over => return Poll::Ready(()),
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let groups = {
            let mut work = self.shared.0.lock();
            work.members -= 1;
            work.resting.retain(|(number, _)| *number != self.number);
            match work.members {
                0 => std::mem::take(&mut work.groups),
                _ => VecDeque::new(),
            }
        };
        // Whoever is left is woken.
        drop(groups);
    }
}
