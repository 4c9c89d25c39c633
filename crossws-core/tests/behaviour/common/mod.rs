//! A transport that records, hooks that wait for a signal, and futures polled by hand: with them a
//! test controls the order of events, and nothing sleeps.

mod hand;
mod wire;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossws_core::adapter::{Accepted, ClaimError, Notice, OpeningPeer, PeerEvents, Session};
use crossws_core::http::Request;
use crossws_core::{
    Error, Hooks, HooksBuilder, Hub, Rejection, Resolve, Upgrade, UpgradeRequest, hooks,
};
use futures_lite::future::{block_on, poll_fn};
// A transport's lock is a point where shuttle may switch threads.
#[cfg(crossws_shuttle)]
use shuttle::sync::Mutex;
#[cfg(not(crossws_shuttle))]
use std::sync::Mutex;

pub use self::hand::{Dropped, Gate, Hand, Log};
pub use self::wire::{Mode, Out, Wire};

/// Makes a timer of this name due.
pub fn time_up<H: Hooks + ?Sized>(session: &Session<H>, events: &PeerEvents, name: &str) {
    session.peer().set_timer(name, Duration::ZERO).unwrap();
    assert!(events.expired(wall_clock()));
}

/// Returns the time of every transport's clock.
pub fn wall_clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

pub fn request(path: &str) -> UpgradeRequest {
    request_with(path, &[])
}

pub fn request_with(path: &str, headers: &[(&str, &str)]) -> UpgradeRequest {
    let mut request = Request::get(path).header("host", "example.org");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    UpgradeRequest::new(request.body(()).unwrap().into_parts().0)
}

/// Runs the upgrade path up to the response.
pub fn upgrade<R: Resolve>(
    hub: &Hub,
    hooks: &Arc<R>,
    request: UpgradeRequest,
) -> Result<Accepted<R::Hooks>, Rejection> {
    block_on(async {
        let accepted = match hub.claim(hooks, request).await {
            Ok(claim) => claim.upgrade().await,
            Err(refused) => Err(refused),
        };
        accepted.map_err(|refused| match refused {
            ClaimError::Rejected(rejection) => rejection,
            other => panic!("{other:?}"),
        })
    })
}

pub fn accept<R: Resolve>(hub: &Hub, hooks: &Arc<R>, path: &str) -> Accepted<R::Hooks> {
    upgrade(hub, hooks, request(path)).unwrap()
}

pub fn join<R: Resolve>(hub: &Hub, hooks: &Arc<R>, path: &str) -> (OpeningPeer<R::Hooks>, Wire) {
    let wire = Wire::default();
    let joined = accept(hub, hooks, path).join(wire.transport()).unwrap();
    (joined, wire)
}

/// As [`open`], with the handle for the adapter's events.
pub fn open_events<R: Resolve>(hub: &Hub, hooks: &Arc<R>) -> (Session<R::Hooks>, PeerEvents) {
    let (joined, _wire) = join(hub, hooks, "/");
    let events = joined.lifeline();
    (block_on(joined.open()), events)
}

pub fn open<R: Resolve>(hub: &Hub, hooks: &Arc<R>, path: &str) -> (Session<R::Hooks>, Wire) {
    let (joined, wire) = join(hub, hooks, path);
    (block_on(joined.open()), wire)
}

/// Opens a peer whose client speaks this subprotocol.
pub fn open_speaking(hub: &Hub, protocol: &str, wire: &Wire) -> Session<HooksBuilder> {
    let hooks = hooks().on_upgrade(|request| async move {
        let offered = request.protocols().next();
        Ok(offered.map_or_else(Upgrade::new, |name| Upgrade::new().protocol(name)))
    });
    let request = request_with("/", &[("sec-websocket-protocol", protocol)]);
    let accepted = upgrade(hub, &Arc::new(hooks), request).unwrap();
    block_on(accepted.join(wire.transport()).unwrap().open())
}

/// Does the work of an adapter while no hook runs: polls the spawned futures, reports a failure
/// among them, and runs due hooks. Returns the last failure's kind.
pub fn turn<H: Hooks + ?Sized>(session: &mut Session<H>) -> Option<crossws_core::ErrorKind> {
    let mut last = None;
    while let Some(notice) = ready(poll_fn(|cx| session.poll_notice(cx))) {
        last = notice.failure().map(Error::kind).or(last);
        block_on(session.notice(notice));
    }
    last
}

/// Waits for a failure of a spawned future.
pub async fn poll_tasks<H: Hooks + ?Sized>(session: &mut Session<H>) -> Notice {
    poll_fn(|cx| session.poll_notice(cx)).await
}

/// Polls a future once and drops it.
pub fn ready<F: Future>(future: F) -> Option<F::Output> {
    block_on(futures_lite::future::poll_once(future))
}

/// Checks that nothing is left on a hub that all peers have left.
#[track_caller]
pub fn assert_empty(hub: &Hub) {
    assert_eq!(hub.peers(), []);
    assert!(hub.namespaces().is_empty());
    assert!(hub.in_all_namespaces().topics().is_empty());
    assert_eq!((hub.stats().peers, hub.stats().sessions), (0, 0));
    assert!(ready(hub.idle()).is_some(), "idle");
}
