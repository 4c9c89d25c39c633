use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, ready};

use crossws_core::{Report, Shutdown};

use crate::clock::Alarm;
use crate::server::World;

/// See [`TestServer::shutdown`](crate::TestServer::shutdown).
pub(crate) async fn shut_down(world: &World, shutdown: Shutdown) -> Report {
    let World {
        hub,
        clock,
        executor,
        ..
    } = world;
    let told = hub.stats().sessions;
    let mut forced = 0;
    hub.shutdown(shutdown.frame);
    let deadline = clock.now().saturating_add(shutdown.grace);
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
    // Those without a session too: upgrades, and last frames that no client takes.
    executor.cancel_all();
    Report::new(told, forced)
}
