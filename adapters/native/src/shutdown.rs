use std::pin::pin;

use crossws_core::{Hub, Report, Shutdown};

use crate::runtime::Runtime;
use crate::tasks::Tasks;
use crate::timer::{later, until};

/// Tells every peer, waits for the last hook and for `others` to end, forces the rest.
pub(crate) async fn shut_down<T: Runtime>(
    runtime: &T,
    hub: &Hub,
    tasks: &Tasks,
    shutdown: &Shutdown,
    others: impl Future<Output = ()>,
) -> Report {
    let told = hub.stats().sessions;
    hub.shutdown(shutdown.frame.clone());
    let all_ended = async {
        hub.idle().await;
        others.await;
    };
    let deadline = later(runtime.now(), shutdown.grace);
    until(runtime, deadline, pin!(all_ended)).await;
    let forced = hub.stats().sessions;
    // Those without a session too: handshakes, and ends that no hook waits for.
    tasks.abort_all();
    Tasks::of(hub).abort_all();
    if forced > 0 {
        // A dropped task is gone at its next await; one that blocks its thread cannot be forced,
        // and must not hold up the report.
        let deadline = later(runtime.now(), hub.limits().close_timeout);
        until(runtime, deadline, pin!(hub.idle())).await;
        tracing::warn!(
            forced,
            "dropped connections that outlived the shutdown's grace"
        );
    }
    Report::new(told, forced)
}
