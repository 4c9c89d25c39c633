use crossws_core::adapter::Closing;
use crossws_core::{Hub, Report, Shutdown};

use crate::driver::pace;
use crate::driver::timer::within;
use crate::runtime::Runtime;
use crate::server::tasks::Tasks;

/// Waits for the shutdown's delay, in which everything but the readiness check goes on.
pub(crate) async fn delay<T: Runtime>(runtime: &T, hub: &Hub, shutdown: &Shutdown) {
    tracing::info!(
        connections = hub.stats().sessions,
        delay = ?shutdown.delay,
        spread = ?shutdown.spread,
        grace = ?shutdown.grace,
        "a shutdown begins"
    );
    hub.turn_away();
    if !shutdown.delay.is_zero() {
        runtime.sleep(shutdown.delay).await;
    }
}

/// Closes every peer, waits for the last hook and for `others` to end, forces the rest.
pub(crate) async fn shut_down<T: Runtime>(
    runtime: &T,
    hub: &Hub,
    tasks: &Tasks,
    shutdown: &Shutdown,
    others: impl Future<Output = ()>,
) -> Report {
    let within_hook = pace::is_in_hook_of(hub);
    let mut closing = Closing::begin(hub, shutdown, within_hook);
    let start = runtime.now();
    while let Some(next) = closing.poll(runtime.now().saturating_duration_since(start)) {
        let elapsed = runtime.now().saturating_duration_since(start);
        runtime.sleep(next.saturating_sub(elapsed)).await;
    }
    let all_ended = async {
        others.await;
        // Awaited last, because ended peers are reported at once.
        closing.ended().await;
        true
    };
    let ended = within(runtime, shutdown.grace, all_ended, || false).await;
    let report = closing.report();
    let report_end = || tracing::info!(%report, "a shutdown has ended");
    if within_hook && ended {
        // Only the connections of hooks that await a shutdown are left.
        report_end();
        return report;
    }
    // Includes connections without a session: handshakes, and ends that no hook waits for.
    tasks.abort_all();
    Tasks::of(hub).abort_all();
    if report.forced > 0 {
        // A dropped task ends at its next await. A task that blocks its thread cannot be forced,
        // and must not delay the report.
        within(runtime, hub.limits().close_timeout, closing.ended(), || ()).await;
        tracing::warn!(
            forced = report.forced,
            "dropped connections that outlived the shutdown's grace"
        );
    }
    report_end();
    report
}
