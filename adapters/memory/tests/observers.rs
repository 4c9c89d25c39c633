//! Observers that send to a client that does not read.

// Tests state what must hold; their helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::block_on;
use crossws_core::{Dropped, Limits, Observer, Overflow, Peer, hooks};
use crossws_memory::TestServer;

/// Sends and publishes a message for each loss that it is told of. Counts the lost messages.
struct Complains(Arc<AtomicU64>);

impl Observer for Complains {
    fn dropped(&self, peer: &Peer, dropped: Dropped) {
        let told = self.0.fetch_add(dropped.messages, Ordering::Relaxed);
        if told < 100 {
            let _ = peer.send("lost");
            let _ = peer.hub().in_all_namespaces().publish("t", "lost");
        }
    }
}

#[test]
fn an_observer_is_not_told_of_what_is_lost_for_its_own_messages() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        block_on(async {
            let told = Arc::new(AtomicU64::new(0));
            let app = hooks().on_open(|peer| async move { peer.subscribe("t").map(drop) });
            let server = TestServer::builder(app)
                .limits(Limits::default().max_queued(2).overflow(overflow))
                .observer(Complains(Arc::clone(&told)))
                .build();
            let mut client = server.connect("/").await.unwrap();
            client.pause();
            let peer = server.hub().peer(client.id()).unwrap();
            let mut lost = 0;
            for _ in 0..10 {
                let before = peer.dropped();
                let _ = peer.send("news");
                lost += peer.dropped() - before;
                server.settle().await;
                assert_eq!(told.load(Ordering::Relaxed), lost, "{overflow:?}");
            }
            assert!(lost > 5 && peer.dropped() > 2 * lost, "{overflow:?} {lost}");
        });
    }
}
