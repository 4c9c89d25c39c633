//! Credentials that end while the connection is open.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossws_core::{
    Capabilities, Closed, ClosedBy, Expiry, ExpiryError, HookResult, Hooks, Hub, Message, Peer,
    PeerState, PersistError, Rejection, Upgrade, UpgradeRequest,
};
use futures_lite::future::block_on;

use crate::common::*;

/// Admits peers for a minute, or for as long as the path says, and publishes how they end.
struct Guard(Expiry);

impl Hooks for Guard {
    async fn upgrade(&self, _: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        Ok(Upgrade::new().expires(self.0))
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        peer.send(message)?;
        Ok(())
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        let Closed {
            code, by, clean, ..
        } = closed;
        peer.broadcast(format!("{code} by {by:?} {clean}"))?;
        Ok(())
    }
}

fn minute() -> Arc<Guard> {
    Arc::new(Guard(Duration::from_secs(60).into()))
}

fn after(seconds: u64) -> Option<SystemTime> {
    Some(wall_clock() + Duration::from_secs(seconds))
}

#[test]
fn a_peer_knows_when_its_credentials_end() {
    let hub = Hub::default();
    let (session, _wire) = open(&hub, &minute(), "/");
    assert_eq!(session.peer().expires_at(), after(60));
    let exact = Arc::new(Guard(Expiry::unix(1_000_001)));
    let (session, _wire) = open(&hub, &exact, "/");
    assert_eq!(session.peer().expires_at(), after(1));
    let (session, _wire) = open(&hub, &Arc::new(Guard(Expiry::Never)), "/");
    assert_eq!(session.peer().expires_at(), None);
}

#[test]
fn a_peer_is_closed_with_4401_when_its_credentials_end_and_no_hook_runs_after() {
    let hub = Hub::default();
    let (_other, seen) = open(&hub, &minute(), "/");
    let (joined, wire) = join(&hub, &minute(), "/");
    let lifeline = joined.lifeline();
    let mut session = block_on(joined.open());
    lifeline.expired(after(60).unwrap());
    lifeline.expired(after(60).unwrap());
    assert_eq!(wire.closes(), [4401]);
    assert_eq!(session.peer().state(), PeerState::Closing);
    assert_eq!(hub.peers().len(), 1, "it is off the lists at once");
    block_on(session.message("late".into()));
    assert_eq!(wire.texts(), [""; 0]);
    let frame = crossws_core::CloseCode::CREDENTIALS_EXPIRED.into();
    block_on(session.close(Closed::by_us(&frame, ClosedBy::Server, true)));
    assert_eq!(seen.texts(), ["4401 by Timeout true"]);
}

#[test]
fn the_first_to_close_ends_the_connection() {
    let hub = Hub::default();
    let (joined, wire) = join(&hub, &minute(), "/");
    let lifeline = joined.lifeline();
    let session = block_on(joined.open());
    session.peer().close(crossws_core::CloseCode::NORMAL, "");
    lifeline.expired(after(60).unwrap());
    assert_eq!(wire.closes(), [1000]);
}

#[test]
fn a_renewal_reports_the_new_time_to_the_writer() {
    let (session, wire) = open(&Hub::default(), &minute(), "/");
    let peer = session.peer();
    let wakes = wire.wakes();
    peer.set_expiry(Duration::from_secs(3600)).unwrap();
    assert_eq!(peer.expires_at(), after(3600));
    assert_eq!(wire.wakes(), wakes + 1);
    peer.set_expiry(after(5).unwrap()).unwrap();
    assert_eq!(peer.expires_at(), after(5), "sooner too");
    peer.set_expiry(Expiry::Never).unwrap();
    assert_eq!(peer.expires_at(), None);
}

#[test]
fn a_peer_that_is_gone_is_not_renewed() {
    let (session, _wire) = open(&Hub::default(), &minute(), "/");
    let peer = session.peer().clone();
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(peer.set_expiry(Expiry::Never), Err(ExpiryError::Closed));
}

#[test]
fn expired_credentials_admit_no_peer() {
    let hub = Hub::default();
    for expiry in [
        Expiry::In(Duration::ZERO),
        Expiry::At(wall_clock()),
        Expiry::unix(0),
    ] {
        let accepted = accept(&hub, &Arc::new(Guard(expiry)), "/");
        let frame = accepted.join(Wire::default().transport()).unwrap_err();
        assert_eq!(frame.code().get(), 4401, "{expiry:?}");
    }
    assert!(hub.peers().is_empty());
}

#[test]
fn a_transport_without_time_refuses_peers_with_an_expiry() {
    let hub = Hub::default();
    let timeless = || Wire::without(Capabilities::EXPIRY);
    let frame = accept(&hub, &minute(), "/").join(timeless().transport());
    assert_eq!(frame.unwrap_err().code().get(), 1011);
    let snapshot = accept(&hub, &minute(), "/").snapshot(wall_clock()).unwrap();
    let refusal = hub.admit(&snapshot, timeless().transport()).unwrap_err();
    assert_eq!(refusal.status(), 500);
    let for_ever = accept(&hub, &Arc::new(Guard(Expiry::Never)), "/");
    let joined = for_ever.join(timeless().transport()).unwrap();
    let refused = joined.peer().set_expiry(Duration::from_secs(1));
    assert_eq!(refused, Err(ExpiryError::Unsupported));
    assert_eq!(joined.peer().expires_at(), None);
}

#[test]
fn an_expiry_travels_and_sleeps() {
    let wire = Wire::sleepy(2_000);
    let accepted = accept(&Hub::default(), &minute(), "/");
    let snapshot = accepted.snapshot(wall_clock()).unwrap();
    let seat = Hub::default().admit(&snapshot, wire.transport()).unwrap();
    assert!(seat.expired().is_none());
    assert_eq!(seat.peer().expires_at(), after(60));
    seat.peer().set_expiry(Duration::from_secs(90)).unwrap();
    let stored = serde_json::to_vec(&wire.stored().unwrap()).unwrap();
    let stored = serde_json::from_slice(&stored).unwrap();
    let woken = Hub::default().restore(&stored, Wire::sleepy(2_000).transport());
    assert_eq!(woken.unwrap().peer().expires_at(), after(90));

    let late = accepted.snapshot(wall_clock() - Duration::from_secs(61));
    let seat = Hub::default().admit(&late.unwrap(), Wire::default().transport());
    let frame = seat.unwrap().expired();
    assert_eq!(frame.map(|frame| frame.code().get()), Some(4401));
}

#[test]
fn an_expiry_without_room_leaves_the_old_one() {
    let roomy = Wire::sleepy(2_000);
    let snapshot = accept(&Hub::default(), &Arc::new(Guard(Expiry::Never)), "/")
        .snapshot(wall_clock())
        .unwrap();
    let _seat = Hub::default().admit(&snapshot, roomy.transport()).unwrap();
    let len = serde_json::to_vec(&roomy.stored().unwrap()).unwrap().len();
    let seat = Hub::default().admit(&snapshot, Wire::sleepy(len).transport());
    let seat = seat.unwrap();
    let error = seat.peer().set_expiry(Duration::from_secs(1)).unwrap_err();
    let ExpiryError::Persist(PersistError::TooBig { most, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(most, len);
    assert_eq!(seat.peer().expires_at(), None);
}

#[test]
fn a_sleep_that_is_given_up_when_it_is_due_ends_nothing_else() {
    let hub = Hub::default();
    let (joined, wire) = join(&hub, &minute(), "/");
    let lifeline = joined.lifeline();
    let session = block_on(joined.open());
    let peer = session.peer();
    let sleep = peer.sleep(Duration::from_secs(1));
    let mut longer = std::pin::pin!(peer.sleep(Duration::from_secs(3600)));
    // The adapter gets the first sleep's end, which a task drops while the adapter looks at the
    // clock.
    let at = lifeline.expires_at().unwrap();
    assert_eq!(Some(at), after(1));
    drop(sleep);
    lifeline.expired(at);
    assert_eq!(peer.state(), PeerState::Open);
    assert_eq!(wire.closes(), [0; 0]);
    assert!(block_on(futures_lite::future::poll_once(longer.as_mut())).is_none());
    assert_eq!(lifeline.expires_at(), after(60));
    lifeline.expired(after(60).unwrap());
    assert_eq!(wire.closes(), [4401]);
}
