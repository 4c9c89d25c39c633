//! The crew with a real hub, polled by hand.

// Helpers here unwrap as the tests do.
#![allow(clippy::unwrap_used)]

use std::pin::pin;

use crossws_core::adapter::OpeningPeer;
use crossws_core::{HooksBuilder, Hub};

use super::*;
use crate::driver::outlet::Outlet;
use crate::driver::server_crew::ServerCrew;
use crate::driver::task_handle::{Batch, TaskHandle};
use crate::driver::transport::NativeTransport;
use crate::driver::transport::fan_out::Sleepers;
use crate::driver::transport::joined::join_with;
use crate::testing::{FakeStream, Wakes};
use crossws_proto::handshake::Agreed;

/// A subscriber whose own task sleeps.
struct Subscriber {
    _joined: OpeningPeer<HooksBuilder>,
    outbox: Arc<TaskHandle>,
    outlet: Arc<Mutex<Outlet<FakeStream>>>,
    stream: FakeStream,
    woken: Arc<Wakes>,
}

impl Subscriber {
    fn join(hub: &Hub, crew: &Arc<ServerCrew>) -> Self {
        let outbox = TaskHandle::new(hub.limits());
        let stream = FakeStream::new();
        let outlet = Arc::new(Mutex::new(Outlet::new(stream.clone())));
        let transport = NativeTransport::new(Arc::clone(&outbox), &Agreed::default());
        let flush = Arc::downgrade(&outlet);
        let joined = join_with(
            hub,
            transport
                .with_outlet(flush)
                .with_crew(Some(Arc::clone(crew))),
        );
        joined.peer().subscribe("news").unwrap();
        let woken = Arc::new(Wakes::default());
        outbox.attend(&Waker::from(Arc::clone(&woken)));
        outbox.take(&mut Batch::default());
        Self {
            _joined: joined,
            outbox,
            outlet,
            stream,
            woken,
        }
    }

    /// Returns how many bytes were written, and whether the task was woken.
    fn seen(&self) -> (usize, bool) {
        (self.stream.wire().output.len(), self.woken.count() > 0)
    }
}

/// Returns a crew of this many members, and a room of five.
fn room(members: usize) -> (Arc<ServerCrew>, Vec<Member<Sleepers>>, Hub, Vec<Subscriber>) {
    let crew = Arc::new(ServerCrew::new());
    let members = (0..members).map(|number| crew.member(number)).collect();
    let hub = Hub::default();
    let room = (0..5).map(|_| Subscriber::join(&hub, &crew)).collect();
    (crew, members, hub, room)
}

fn poll(member: &mut Member<Sleepers>) -> (Poll<()>, bool) {
    let woken = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&woken));
    let polled = pin!(member).poll(&mut Context::from_waker(&waker));
    (polled, woken.count() > 0)
}

#[test]
fn a_room_is_written_for_once_those_who_are_ready_have_run() {
    let (_crew, mut members, hub, room) = room(1);
    let member = &mut members[0];
    assert_eq!(poll(member), (Poll::Pending, false));
    hub.in_namespace("/").publish("news", "one").unwrap();
    assert_eq!(poll(member), (Poll::Pending, true));
    assert!(room.iter().all(|one| one.seen() == (0, false)));
    // What is published meanwhile leaves in the same writes.
    hub.in_namespace("/").publish("news", "two").unwrap();
    assert_eq!(poll(member), (Poll::Pending, true));
    assert!(room.iter().all(|one| one.seen() == (10, false)));
    assert!(room.iter().all(|one| one.outbox.is_asleep()));
    assert_eq!(poll(member), (Poll::Pending, false));
}

#[test]
fn a_task_is_woken_for_what_must_wait() {
    let (_crew, mut members, hub, room) = room(1);
    room[0].stream.set_room(0);
    // Another task holds this stream.
    let held = room[1].outlet.lock();
    // Control frames leave with the messages.
    room[2].outbox.heartbeat();
    hub.in_namespace("/").publish("news", "one").unwrap();
    let _ = poll(&mut members[0]);
    drop(held);
    let seen: Vec<_> = room.iter().map(Subscriber::seen).collect();
    assert_eq!(
        seen,
        [(0, true), (0, true), (7, false), (5, false), (5, false)]
    );
}

#[test]
fn without_members_the_tasks_are_woken() {
    let (crew, mut members, hub, room) = room(2);
    members.iter_mut().for_each(|member| {
        let _ = poll(member);
    });
    hub.in_namespace("/").publish("news", "one").unwrap();
    assert!(room.iter().all(|one| one.seen() == (0, false)));
    members.pop();
    assert!(room.iter().all(|one| one.seen() == (0, false)));
    // As when their runtime ends, with something to do.
    members.pop();
    assert!(room.iter().all(|one| one.seen() == (0, true)));

    let late: Vec<_> = (0..5).map(|_| Subscriber::join(&hub, &crew)).collect();
    hub.in_namespace("/").publish("news", "two").unwrap();
    assert!(late.iter().all(|one| one.seen() == (0, true)));
}

#[test]
fn members_end_with_their_crew() {
    let (crew, mut members, hub, room) = room(1);
    let _ = poll(&mut members[0]);
    drop((crew, hub, room));
    assert_eq!(poll(&mut members[0]).0, Poll::Ready(()));
}

#[test]
fn a_stream_that_panics_affects_no_other_connection() {
    let (_crew, mut members, hub, room) = room(1);
    hub.in_namespace("/").publish("news", "one").unwrap();
    room[2].stream.wire().on_write = Some(Box::new(|| panic!("a stream's own fault")));
    assert_eq!(poll(&mut members[0]), (Poll::Pending, true));
    let seen: Vec<_> = room.iter().map(Subscriber::seen).collect();
    assert!(
        seen.iter().all(|(bytes, woken)| *bytes == 5 || *woken),
        "{seen:?}"
    );
    assert_eq!(seen[2], (0, true));
    // And the member goes on.
    assert_eq!(poll(&mut members[0]), (Poll::Pending, false));
}

#[test]
fn a_peers_handle_keeps_no_stream() {
    let (_crew, mut members, hub, mut room) = room(1);
    let gone = room.remove(0);
    drop(gone.outlet);
    hub.in_namespace("/").publish("news", "one").unwrap();
    let _ = poll(&mut members[0]);
    assert!(gone.stream.is_alone(), "the stream is gone");
    assert!(gone.woken.count() > 0);
    assert!(room.iter().all(|one| one.seen() == (5, false)));
}

#[test]
fn each_crew_writes_for_its_own() {
    let (_crew, mut members, hub, ours) = room(1);
    let other = Arc::new(ServerCrew::new());
    let mut idle = other.member(0);
    let theirs: Vec<_> = (0..5).map(|_| Subscriber::join(&hub, &other)).collect();
    hub.in_namespace("/").publish("news", "one").unwrap();
    let _ = poll(&mut members[0]);
    assert!(ours.iter().all(|one| one.seen() == (5, false)));
    assert!(theirs.iter().all(|one| one.seen() == (0, false)));
    let _ = poll(&mut idle);
    assert!(theirs.iter().all(|one| one.seen() == (5, false)));
}
