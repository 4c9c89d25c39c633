//! Restored peers whose own hooks have not run yet: as in an object that another peer's message
//! woke.

use std::sync::{Arc, Mutex};

use crossws_app::Router;
use crossws_app::calls::{PeerCalls, calls};
use crossws_core::adapter::{Publication, Receipt, Snapshot, Transport};
use crossws_core::{
    Bytes, Capabilities, CloseFrame, Closed, DropCause, Dropped, Error, HookKind, HookResult,
    Hooks, Hub, Message, OnError, Overflow, Peer, PeerId, Resolve, SendError, SendOptions, Sent,
    hooks,
};
use crossws_memory::TestServer;
use serde_json::{Value, json};

use crate::common::*;

/// Records what a client would receive.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<Value>>>);

impl Transport for Paper {
    fn capabilities(&self) -> Capabilities {
        Capabilities::PUBSUB
    }
    fn send(&self, message: Message, _: &SendOptions) -> Result<Sent, SendError> {
        self.0.lock().unwrap().push(message.json().unwrap());
        Ok(Sent::Written)
    }
    fn publish(&self, publication: &Publication) -> Receipt {
        let _ = self.send(publication.message().clone(), publication.options());
        Receipt::queued(false)
    }
    fn wake(&self) {}
    fn close(&self, _: CloseFrame) {}
    fn terminate(&self) {}
}

/// Sends an event to every peer on the hub.
fn tells() -> impl Hooks {
    calls(hooks()).event("tell", |peer: Peer, text: String| async move {
        for other in peer.hub().in_all_namespaces().peers() {
            if other.route() == peer.route() {
                other.emit("told", &text)?;
            } else {
                assert!(other.emit("told", &text).is_err());
            }
        }
        crossws_core::ok()
    })
}

#[test]
fn an_event_reaches_a_peer_whose_hooks_have_not_run_since_it_woke() {
    let app = Router::new()
        .route("/calls/{id}", tells())
        .route("/other", hooks());
    let server = TestServer::new(app);
    block_on(async {
        let mut ann = server.connect("/calls/1").await.unwrap();
        let restore = |id: u128, path: &str, route: &str| {
            let id = PeerId::from_u128(id);
            let snapshot = json!({"i": id, "n": path, "u": path, "o": route});
            let snapshot: Snapshot = serde_json::from_value(snapshot).unwrap();
            let paper = Paper::default();
            (server.hub().admit(&snapshot, paper.clone()).unwrap(), paper)
        };
        let (_bob, on_paper) = restore(1, "/calls/2", "/calls/{id}");
        let (_eve, of_others) = restore(2, "/other", "/other");
        say(&mut ann, json!({"event": "tell", "payload": "hi"}));
        let told = json!({"event": "told", "payload": "hi"});
        assert_eq!(next(&mut ann).await, told);
        assert_eq!(*on_paper.0.lock().unwrap(), [told]);
        assert!(of_others.0.lock().unwrap().is_empty());
    });
}

#[test]
fn an_event_reaches_a_peer_although_no_hook_of_any_has_run() {
    let app = Router::new()
        .route("/calls/{id}", tells())
        .route("/other", hooks());
    let hub = Hub::default();
    let app = Arc::new(app);
    block_on(app.start(&hub)).unwrap();
    let restore = |id: u128, path: &str, route: &str| {
        let id = PeerId::from_u128(id);
        let snapshot = json!({"i": id, "n": path, "u": path, "o": route});
        let snapshot: Snapshot = serde_json::from_value(snapshot).unwrap();
        let paper = Paper::default();
        (hub.restore(&snapshot, paper.clone()).unwrap(), paper)
    };
    let (bob, on_paper) = restore(1, "/calls/2", "/calls/{id}");
    let (eve, _) = restore(2, "/other", "/other");
    bob.peer().emit("told", "hi").unwrap();
    let told = json!({"event": "told", "payload": "hi"});
    assert_eq!(*on_paper.0.lock().unwrap(), [told]);
    let refused = eve.peer().emit("told", "hi");
    assert!(matches!(refused, Err(SendError::Unsupported(_))));
}

/// Greets the peer.
async fn greet(peer: Peer) -> HookResult {
    peer.emit("told", "hi")?;
    Ok(())
}

#[test]
fn every_hook_of_a_peer_may_emit_after_a_sleep() {
    let app = calls(
        hooks()
            .on_open(greet)
            .on_drain(greet)
            .on_ping(|peer, _| greet(peer))
            .on_pong(|peer, _| greet(peer))
            .on_message(|peer, _| greet(peer))
            .on_dropped(|peer, _| greet(peer))
            .on_timer(|peer, _| greet(peer))
            .on_close(|peer, _| greet(peer))
            .on_error(|peer, _| async move {
                greet(peer).await.unwrap();
                OnError::Keep
            }),
    );
    let hub = Hub::default();
    let mut id = 0;
    // A peer for each hook: the first one that runs prepares its peer for the others.
    let mut woken = || {
        id += 1;
        let id = PeerId::from_u128(id);
        let snapshot = json!({"i": id, "n": "/", "u": "/"});
        let snapshot: Snapshot = serde_json::from_value(snapshot).unwrap();
        hub.restore(&snapshot, Paper::default()).unwrap()
    };
    let dropped = Dropped::new(1, DropCause::Overflow(Overflow::DropOldest));
    let failed = Error::hook(HookKind::Message, "failed".into());
    block_on(async {
        app.open(woken().peer()).await.unwrap();
        app.drain(woken().peer()).await.unwrap();
        app.ping(woken().peer(), Bytes::new()).await.unwrap();
        app.pong(woken().peer(), Bytes::new()).await.unwrap();
        app.message(woken().peer(), "m".into()).await.unwrap();
        app.dropped(woken().peer(), dropped).await.unwrap();
        app.timer(woken().peer(), "t").await.unwrap();
        let closed = Closed::by_client(None);
        app.close(woken().peer(), closed).await.unwrap();
        assert_eq!(app.error(woken().peer(), failed).await, OnError::Keep);
    });
}
