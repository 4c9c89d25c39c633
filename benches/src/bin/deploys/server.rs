//! A server that publishes to its rooms until it receives a signal. It uses only the public API.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossws::tokio::{Server, Shutdown, stop_signal};
use crossws::{Hub, Limits, Origin, hooks};

/// The text of each publication.
const TEXT: &str = "a message of some hundred bytes, as long as a message of a chat is with the names and \
    the times that are in it";

/// The interval between publications.
const TICK: Duration = Duration::from_millis(10);

/// Takes `RATE SPREAD [STOPPED]`: messages per second, the shutdown's spread, and how long the
/// process is stopped, in milliseconds. A line on the input starts the messages.
pub(crate) async fn run(args: &[String]) -> io::Result<()> {
    let number = |at: usize| {
        args.get(at)
            .and_then(|arg| arg.parse().ok())
            .unwrap_or(0_u64)
    };
    let (rate, spread, stopped) = (number(0), Duration::from_millis(number(1)), number(2));
    let mut limits = Limits::default();
    if stopped > 0 {
        // Together shorter than the stop.
        limits = limits
            .ping_interval(Duration::from_millis(stopped / 8))
            .pong_timeout(Duration::from_millis(stopped / 2));
    }
    let hub = Hub::builder().origin(Origin::Any).limits(limits).build();
    let app = hooks().on_open(|peer| async move { peer.subscribe("room") });
    let server = Server::builder(app)
        .hub(hub.clone())
        .bind("127.0.0.1:0")
        .await?;
    println!("{}", server.local_addr());
    let accepted = Arc::new(AtomicU64::new(0));
    let publisher = tokio::spawn(publish(hub, rate, Arc::clone(&accepted)));
    let shutdown = Shutdown::default().spread(spread);
    let report = server.run_until(stop_signal()?, shutdown).await?;
    publisher.abort();
    println!("{report}\n{}", accepted.load(Ordering::SeqCst));
    Ok(())
}

/// Publishes to one room after the other.
async fn publish(hub: Hub, rate: u64, accepted: Arc<AtomicU64>) {
    let mut line = String::new();
    let begun = tokio::task::spawn_blocking(move || io::stdin().read_line(&mut line)).await;
    if rate == 0 || begun.is_err() {
        return;
    }
    let rooms = hub.namespaces();
    let mut rooms = rooms.iter().cycle();
    let mut tick = tokio::time::interval(TICK);
    let each = rate * TICK.as_millis() as u64 / 1000;
    loop {
        tick.tick().await;
        for room in rooms.by_ref().take(each as usize) {
            let published = hub.in_namespace(room).publish("room", TEXT);
            let queued = published.map_or(0, |published| published.queued);
            accepted.fetch_add(queued as u64, Ordering::SeqCst);
        }
    }
}
