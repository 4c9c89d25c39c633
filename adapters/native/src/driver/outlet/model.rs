//! Every interleaving that shuttle tries of a connection's own task and others that write in its
//! place: everything is written once, in order, and without a further wake-up.

use std::sync::Arc;
use std::task::Context;

use crossws_core::adapter::{Publication, Transport};
use crossws_core::{CloseCode, Hub, Limits, SendOptions};
use shuttle::future::block_on;
use shuttle::sync::{Condvar, Mutex as Lock};
use shuttle::thread;

use super::*;
use crate::driver::server_crew::ServerCrew;
use crate::driver::transport::NativeTransport;
use crate::driver::transport::joined::join_with;
use crossws_proto::frame::frame_len;
use crossws_proto::handshake::Agreed;

const RUNS: usize = 10_000;

/// A stream that takes some bytes of every other write. It is not a `FakeStream`, because what waits for
/// its bytes is a thread of shuttle's, on a condition that only shuttle may signal.
struct Paper {
    written: Arc<(Lock<Vec<u8>>, Condvar)>,
    full: bool,
}

impl Io for Paper {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.full = !self.full;
        if self.full {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (written, changed) = &*self.written;
        let some = bufs.first().map_or(&[][..], |buf| &buf[..buf.len().min(4)]);
        written.lock().unwrap().extend_from_slice(some);
        changed.notify_all();
        Poll::Ready(Ok(some.len()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Paper {
    fn new() -> (Self, Arc<(Lock<Vec<u8>>, Condvar)>) {
        let written = Arc::<(Lock<Vec<u8>>, Condvar)>::default();
        let paper = Self {
            written: Arc::clone(&written),
            full: false,
        };
        (paper, written)
    }
}

/// Runs the writing half of a connection's task, to the close frame.
fn pump(outlet: Arc<Mutex<Outlet<Paper>>>, outbox: Arc<TaskHandle>) {
    let mut closing = false;
    block_on(std::future::poll_fn(|cx| {
        outbox.attend(cx.waker());
        let outlet = &mut *outlet.lock();
        loop {
            if outlet.writing.is_empty() {
                if closing {
                    return Poll::Ready(());
                }
                closing = outbox.take(&mut outlet.writing).close.is_some();
            }
            if outlet.writing.is_empty() || outlet.poll_write(cx, &outbox).is_pending() {
                return Poll::Pending;
            }
        }
    }));
}

/// Waits until this many messages of one byte are written, and returns them.
fn written(paper: &(Lock<Vec<u8>>, Condvar), messages: usize) -> Vec<u8> {
    let (written, changed) = paper;
    let mut bytes = written.lock().unwrap();
    while bytes.len() < messages * 3 {
        bytes = changed.wait(bytes).unwrap();
    }
    let frames = bytes.chunks(3);
    assert!(frames.clone().all(|frame| frame_len(frame) == Some(3)));
    frames.map(|frame| frame[2]).collect()
}

#[test]
fn frames_that_senders_flush_while_the_pump_runs_are_written_once_and_in_order() {
    shuttle::check_random(
        || {
            let outbox = TaskHandle::new(&Limits::default());
            let (paper, seen) = Paper::new();
            let outlet = Arc::new(Mutex::new(Outlet::new(paper)));
            let pumping = {
                let (outlet, outbox) = (outlet.clone(), outbox.clone());
                thread::spawn(move || pump(outlet, outbox))
            };
            let senders: Vec<_> = [0u8, 10]
                .into_iter()
                .map(|base| {
                    let transport = NativeTransport::new(outbox.clone(), &Agreed::default())
                        .with_outlet(Arc::downgrade(&outlet) as _);
                    thread::spawn(move || {
                        for n in base..base + 3 {
                            let receipt = transport.publish(&Publication::new(vec![n].into()));
                            if receipt.wake {
                                transport.flush();
                            }
                        }
                    })
                })
                .collect();
            // Nothing else happens that would wake the pump.
            let seen = written(&seen, 6);
            for base in [0u8, 10] {
                let own = seen.iter().filter(|n| (base..base + 3).contains(n));
                assert!(own.is_sorted(), "{seen:?}");
            }
            for sender in senders {
                sender.join().unwrap();
            }
            outbox.close_with(Some(CloseCode::NORMAL.into()));
            outbox.wake();
            pumping.join().unwrap();
        },
        RUNS,
    );
}

#[test]
fn a_queue_that_its_senders_settle_is_written_or_closed_as_slow() {
    shuttle::check_random(
        || {
            let limits = Limits::default().max_queued(3);
            let outbox = TaskHandle::new(&limits);
            let (paper, seen) = Paper::new();
            let outlet = Arc::new(Mutex::new(Outlet::new(paper)));
            let pumping = {
                let (outlet, outbox) = (outlet.clone(), outbox.clone());
                thread::spawn(move || pump(outlet, outbox))
            };
            let senders: Vec<_> = [0u8, 10]
                .into_iter()
                .map(|base| {
                    let transport = NativeTransport::new(outbox.clone(), &Agreed::default())
                        .with_outlet(Arc::downgrade(&outlet) as _);
                    // Each may have to write what the other has queued.
                    thread::spawn(move || {
                        let send =
                            |n: u8| transport.send(vec![n].into(), &SendOptions::new()).is_ok();
                        (base..base + 4).filter(|n| send(*n)).count()
                    })
                })
                .collect();
            let sent: usize = senders.into_iter().map(|one| one.join().unwrap()).sum();
            outbox.close_with(Some(CloseCode::NORMAL.into()));
            outbox.wake();
            pumping.join().unwrap();

            let bytes = seen.0.lock().unwrap().clone();
            let mut rest = &bytes[..];
            let mut messages = Vec::new();
            while let [0x82, 1, n, others @ ..] = rest {
                messages.push(*n);
                rest = others;
            }
            let is_slow = rest.ends_with(b"slow consumer");
            assert!(is_slow || rest == b"\x88\x02\x03\xe8", "{rest:?}");
            assert!(is_slow || messages.len() == sent, "{messages:?} of {sent}");
            for base in [0u8, 10] {
                let own = messages.iter().filter(|n| (base..base + 4).contains(n));
                assert!(own.zip(base..).all(|(n, next)| *n == next), "{messages:?}");
            }
        },
        RUNS,
    );
}

#[test]
fn a_room_that_other_tasks_write_for_misses_no_message() {
    shuttle::check_random(
        || {
            let hub = Hub::default();
            let crew = Arc::new(ServerCrew::new());
            let member = crew.member(0);
            let writing = thread::spawn(move || block_on(member));
            let members: Vec<_> = (0..4)
                .map(|_| {
                    let outbox = TaskHandle::new(hub.limits());
                    let (paper, seen) = Paper::new();
                    let outlet = Arc::new(Mutex::new(Outlet::new(paper)));
                    let flush = Arc::downgrade(&outlet);
                    let transport = NativeTransport::new(outbox.clone(), &Agreed::default())
                        .with_outlet(flush)
                        .with_crew(Some(Arc::clone(&crew)));
                    let joined = join_with(&hub, transport);
                    joined.peer().subscribe("a").unwrap();
                    let pumping = thread::spawn(move || pump(outlet, outbox));
                    (joined, seen, pumping)
                })
                .collect();
            let publishers: Vec<_> = [0u8, 10]
                .into_iter()
                .map(|base| {
                    let hub = hub.clone();
                    thread::spawn(move || {
                        for n in base..base + 2 {
                            hub.in_namespace("/").publish("a", vec![n]).unwrap();
                        }
                    })
                })
                .collect();
            let all: Vec<_> = members
                .iter()
                .map(|(_, seen, _)| written(seen, 4))
                .collect();
            assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
            for publisher in publishers {
                publisher.join().unwrap();
            }
            for (joined, _, pumping) in members {
                joined.peer().close(CloseCode::NORMAL, "");
                pumping.join().unwrap();
            }
            drop((hub, crew));
            writing.join().unwrap();
        },
        RUNS / 10,
    );
}
