use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crossws_core::BoxFuture;
use crossws_core::adapter::sync::Mutex;
use slab::Slab;
use worker::wasm_bindgen_futures::spawn_local;

/// The tasks of an object. They end with it: in the memory of its instance they would outlive it, and run in
/// the place of another object.
#[derive(Clone)]
pub(crate) struct Tasks(Arc<Mutex<Option<Running>>>);

/// A task's future, while it is not being polled.
type Running = Slab<Option<BoxFuture<'static, ()>>>;

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Slab::new()))))
    }

    pub(crate) fn spawn(&self, future: BoxFuture<'static, ()>) {
        if let Some(number) = self.add(future) {
            let tasks = self.clone();
            spawn_local(poll_fn(move |cx| tasks.poll(number, cx)));
        }
    }

    /// Drops all tasks, and those that are spawned later.
    pub(crate) fn end(&self) {
        let running = self.0.lock().take();
        // Without the lock: what is dropped may wake others, which find nothing to poll.
        drop(running);
    }

    fn add(&self, future: BoxFuture<'static, ()>) -> Option<usize> {
        Some(self.0.lock().as_mut()?.insert(Some(future)))
    }

    fn poll(&self, number: usize, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut future) = self.replace(number, None) else {
            return Poll::Ready(());
        };
        let polled = future.as_mut().poll(cx);
        match polled {
            Poll::Pending => drop(self.replace(number, Some(future))),
            Poll::Ready(()) => {
                let mut running = self.0.lock();
                let place = running.as_mut().and_then(|all| all.try_remove(number));
                drop(running);
                drop(place);
            }
        }
        polled
    }

    /// Puts a future into its place. Returns what was there, or the future itself if the tasks have ended.
    fn replace(
        &self,
        number: usize,
        future: Option<BoxFuture<'static, ()>>,
    ) -> Option<BoxFuture<'static, ()>> {
        match self.0.lock().as_mut().and_then(|all| all.get_mut(number)) {
            Some(place) => std::mem::replace(place, future),
            None => future,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Waker;

    use super::*;

    /// A task that counts how often it runs, and waits.
    fn counting(ran: &Arc<AtomicUsize>) -> BoxFuture<'static, ()> {
        let ran = Arc::clone(ran);
        Box::pin(poll_fn(move |_| {
            ran.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        }))
    }

    #[test]
    fn tasks_are_dropped_with_their_object_and_run_no_more() {
        let (tasks, ran) = (Tasks::new(), Arc::new(AtomicUsize::new(0)));
        let mut cx = Context::from_waker(Waker::noop());
        let ready = tasks.add(Box::pin(std::future::ready(()))).unwrap();
        let waits = tasks.add(counting(&ran)).unwrap();
        assert!(tasks.poll(ready, &mut cx).is_ready());
        assert!(tasks.poll(waits, &mut cx).is_pending());
        assert!(tasks.poll(waits, &mut cx).is_pending());
        assert_eq!(
            (ran.load(Ordering::Relaxed), Arc::strong_count(&ran)),
            (2, 2)
        );
        tasks.end();
        assert_eq!(Arc::strong_count(&ran), 1, "it is dropped");
        // Whatever wakes it later.
        assert!(tasks.poll(waits, &mut cx).is_ready());
        assert_eq!(ran.load(Ordering::Relaxed), 2);
        assert!(tasks.add(counting(&ran)).is_none());
    }

    #[test]
    fn a_task_that_ends_its_object_is_dropped_after_its_turn() {
        let tasks = Tasks::new();
        let (its, held) = (tasks.clone(), Arc::new(()));
        let holds = Arc::clone(&held);
        let number = tasks.add(Box::pin(poll_fn(move |_| {
            let _holds = &holds;
            its.end();
            Poll::Pending
        })));
        let mut cx = Context::from_waker(Waker::noop());
        let _ = tasks.poll(number.unwrap(), &mut cx);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
