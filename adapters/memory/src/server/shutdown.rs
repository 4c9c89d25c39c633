use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::{Poll, ready};
use std::time::Duration;

use crossws_core::adapter::Closing;
use crossws_core::{Report, Shutdown};

use crate::connection::hook;
use crate::server::World;
use crate::time::clock::Alarm;

/// See [`TestServer::shutdown`](crate::TestServer::shutdown).
pub(crate) async fn shut_down(world: &World, shutdown: Shutdown) -> Report {
    let World { hub, clock, .. } = world;
    hub.turn_away();
    sleep_until(world, clock.now().saturating_add(shutdown.delay)).await;
    let within_hook = hook::is_of(hub);
    let mut closing = Closing::begin(hub, &shutdown, within_hook);
    let start = clock.now();
    while let Some(next) = closing.poll(clock.now().saturating_sub(start)) {
        sleep_until(world, start.saturating_add(next)).await;
    }
    let deadline = clock.now().saturating_add(shutdown.grace);
    // Connections that came too late are told so, as those with a session are. No waker is needed: they
    // are looked at again whenever everything has run.
    let told = poll_fn(|_| match world.app.is_parting() {
        true => Poll::Pending,
        false => Poll::Ready(()),
    });
    let ended = async {
        closing.ended().await;
        told.await;
    };
    // The grace is the last resort: time does not move by itself to reach it.
    run_until(world, Alarm::passive(clock), deadline, ended).await;
    let report = closing.report();
    if within_hook && report.forced == 0 {
        // Only the connections of this hook, and of others that wait for the same, are left.
        return report;
    }
    // Includes connections without a session: upgrades, and last frames that no client takes.
    world.executor.cancel_all();
    report
}

/// Runs everything until the deadline, and moves time there.
async fn sleep_until(world: &World, deadline: Duration) {
    run_until(world, Alarm::new(&world.clock), deadline, pending()).await;
}

/// Runs everything until the deadline, or until `ended` resolves.
async fn run_until(
    world: &World,
    mut alarm: Alarm,
    deadline: Duration,
    ended: impl Future<Output = ()>,
) {
    let World {
        clock, executor, ..
    } = world;
    let waiter = executor.waiter();
    let mut ended = pin!(ended);
    poll_fn(|cx| {
        loop {
            ready!(executor.poll_quiet(&waiter, cx));
            if ended.as_mut().poll(cx).is_ready() || clock.now() >= deadline {
                return Poll::Ready(());
            }
            alarm.set(Some(deadline), cx.waker());
            if !clock.step_to_alarm(deadline) {
                return Poll::Pending;
            }
        }
    })
    .await;
}
