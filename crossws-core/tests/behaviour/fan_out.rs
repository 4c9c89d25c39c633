//! The writers that a publication wakes: a transport may wake others together with its own, and one
//! that panics keeps none from being woken.

use std::sync::{Arc, Mutex};

use crossws_core::adapter::{OpeningPeer, PeerEvents, Publication, Receipt, Transport};
use crossws_core::{
    Capabilities, CloseCode, CloseFrame, HooksBuilder, Hub, Message, SendError, SendOptions, Sent,
    hooks,
};

use crate::common::{Wire, accept};

/// A transport that wakes its like together.
struct Grouped {
    name: &'static str,
    wakes: Wakes,
}

/// The names in each group.
type Wakes = Arc<Mutex<Vec<Vec<&'static str>>>>;

impl Transport for Grouped {
    fn capabilities(&self) -> Capabilities {
        Capabilities::PUBSUB
    }

    fn send(&self, _: Message, _: &SendOptions) -> Result<Sent, SendError> {
        Ok(Sent::Written)
    }

    fn publish(&self, _: &Publication) -> Receipt {
        Receipt::queued(true)
    }

    fn wake(&self) {
        self.wakes.lock().unwrap().push(vec![self.name]);
    }

    fn wake_with(&self, peer: &PeerEvents, others: &mut Vec<PeerEvents>) {
        let name = |peer: &PeerEvents| peer.transport::<Self>().map(|like| like.name);
        assert_eq!(name(peer), Some(self.name));
        let taken = others.extract_if(.., |other| name(other).is_some());
        let mut group: Vec<_> = taken.filter_map(|other| name(&other)).collect();
        group.push(self.name);
        group.sort_unstable();
        self.wakes.lock().unwrap().push(group);
    }

    fn close(&self, _: CloseFrame) {}

    fn terminate(&self) {}
}

fn join(hub: &Hub, transport: impl Transport) -> OpeningPeer<HooksBuilder> {
    let joined = accept(hub, &Arc::new(hooks()), "/")
        .join(transport)
        .unwrap();
    joined.peer().subscribe("t").unwrap();
    joined
}

/// Calls `act` on a hub with three peers whose transports wake together, and two that do not. Returns
/// the groups, and how often each of the two was woken.
fn woken(act: impl FnOnce(&Hub)) -> (Vec<Vec<&'static str>>, [usize; 2]) {
    let (hub, wakes) = (Hub::default(), Wakes::default());
    let grouped = |name| {
        let wakes = Arc::clone(&wakes);
        join(&hub, Grouped { name, wakes })
    };
    let (one, two) = (Wire::default(), Wire::default());
    let peers = [
        grouped("a"),
        join(&hub, one.transport()),
        grouped("b"),
        join(&hub, two.transport()),
        grouped("c"),
    ];
    act(&hub);
    drop(peers);
    let groups = std::mem::take(&mut *wakes.lock().unwrap());
    (groups, [one.wakes(), two.wakes()])
}

#[test]
fn a_publication_wakes_each_writer_once() {
    let (groups, others) = woken(|hub| {
        hub.in_namespace("/").publish("t", "hello").unwrap();
    });
    assert_eq!(groups, [["a", "b", "c"]]);
    assert_eq!(others, [1, 1]);
}

#[test]
fn a_close_of_many_wakes_each_writer_once() {
    let (groups, others) = woken(|hub| hub.in_namespace("/").close_all(CloseCode::NORMAL));
    assert_eq!(groups, [["a", "b", "c"]]);
    assert_eq!(others, [1, 1]);
}

/// A transport whose waker panics.
struct Panics;

impl Transport for Panics {
    fn capabilities(&self) -> Capabilities {
        Capabilities::PUBSUB
    }

    fn send(&self, _: Message, _: &SendOptions) -> Result<Sent, SendError> {
        Ok(Sent::Written)
    }

    fn publish(&self, _: &Publication) -> Receipt {
        Receipt::queued(true)
    }

    fn wake(&self) {
        panic!("a waker's");
    }

    fn close(&self, _: CloseFrame) {}

    fn terminate(&self) {}
}

#[test]
fn a_waker_that_panics_keeps_no_other_from_being_woken() {
    let hub = Hub::default();
    let (first, last) = (Wire::default(), Wire::default());
    let peers = [
        join(&hub, first.transport()),
        join(&hub, Panics),
        join(&hub, last.transport()),
    ];
    let published = hub.in_namespace("/").publish("t", "hello").unwrap();
    assert_eq!(published.queued, 3);
    assert_eq!((first.wakes(), last.wakes()), (1, 1));
    hub.in_namespace("/").close_all(CloseCode::NORMAL);
    assert_eq!((first.wakes(), last.wakes()), (2, 2));
    drop(peers);
}
