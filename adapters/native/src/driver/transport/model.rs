//! Every interleaving that shuttle tries of senders, publishers, a closer and the pump: nothing
//! that was accepted is lost, order holds, and no wake-up is missed.

mod topics;

use std::io::IoSlice;
use std::task::Poll;

use crossws_core::adapter::{Publication, Transport};
use crossws_core::{CloseCode, Limit, Limits, Message, Overflow, SendOptions};
use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use super::*;
use crate::driver::task_handle::{Batch, TaskHandle};
use crossws_proto::handshake::Agreed;

const RUNS: usize = 10_000;

fn transport_of(outbox: &Arc<TaskHandle>) -> NativeTransport {
    NativeTransport::new(Arc::clone(outbox), &Agreed::default())
}

/// Runs an outbox's pump until the close frame, and writes everything at once. Returns the
/// payloads' first bytes in the order in which they were written.
fn pump(outbox: Arc<TaskHandle>) -> Vec<u8> {
    block_on(async move {
        let mut seen = Vec::new();
        std::future::poll_fn(|cx| {
            loop {
                outbox.attend(cx.waker());
                let mut batch = Batch::default();
                let taken = outbox.take(&mut batch);
                let is_empty = batch.is_empty();
                seen.extend(payloads(&batch));
                batch.advance(batch.bytes());
                outbox.written(&batch);
                if taken.close.is_some() || taken.terminated {
                    return Poll::Ready(());
                }
                // As the link does.
                if is_empty {
                    return Poll::Pending;
                }
            }
        })
        .await;
        seen
    })
}

/// Returns the first payload byte of every one-byte message in a batch.
fn payloads(batch: &Batch) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 4];
    let count = batch.slices(&mut slices);
    let bytes: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
    let mut seen = Vec::new();
    let mut at = 0;
    while let Some(len) = bytes.get(at..).and_then(crossws_proto::frame::frame_len) {
        if bytes[at] == 0x82 {
            seen.push(bytes[at + 2]);
        }
        at += len;
    }
    seen
}

#[test]
fn everything_accepted_is_written_in_each_senders_order() {
    shuttle::check_random(
        || {
            let outbox = TaskHandle::new(&Limits::default());
            let accepted = Arc::new(AtomicUsize::new(0));
            let senders: Vec<_> = [0u8, 10, 20]
                .into_iter()
                .map(|base| {
                    let transport = transport_of(&outbox);
                    let accepted = Arc::clone(&accepted);
                    thread::spawn(move || {
                        for n in base..base + 3 {
                            let message = Message::from(vec![n]);
                            let queued = if n % 2 == 0 {
                                transport.send(message, &SendOptions::new()).is_ok()
                            } else {
                                let receipt = transport.publish(&Publication::new(message));
                                if receipt.wake {
                                    transport.wake();
                                }
                                receipt.queued
                            };
                            if queued {
                                accepted.fetch_add(1, Ordering::SeqCst);
                            }
                        }
                    })
                })
                .collect();
            let pumping = {
                let outbox = Arc::clone(&outbox);
                thread::spawn(move || pump(outbox))
            };
            for sender in senders {
                sender.join().unwrap();
            }
            let transport = transport_of(&outbox);
            transport.close(CloseCode::NORMAL.into());
            transport.wake();
            let seen = pumping.join().unwrap();
            assert_eq!(seen.len(), accepted.load(Ordering::SeqCst));
            for base in [0u8, 10, 20] {
                let own: Vec<_> = seen
                    .iter()
                    .filter(|n| (base..base + 3).contains(n))
                    .collect();
                assert!(own.is_sorted(), "{seen:?}");
            }
        },
        RUNS,
    );
}

#[test]
fn a_close_that_races_with_senders_ends_the_pump() {
    shuttle::check_pct(
        || {
            let outbox = TaskHandle::new(&Limits::default());
            let sender = {
                let transport = transport_of(&outbox);
                thread::spawn(move || {
                    (0..3u8)
                        .filter(|n| {
                            transport
                                .send(Message::from(vec![*n]), &SendOptions::new())
                                .is_ok()
                        })
                        .count()
                })
            };
            let closer = {
                let transport = transport_of(&outbox);
                thread::spawn(move || {
                    transport.close(CloseCode::NORMAL.into());
                    transport.wake();
                })
            };
            let seen = pump(outbox);
            closer.join().unwrap();
            assert_eq!(seen.len(), sender.join().unwrap());
        },
        RUNS,
        3,
    );
}

#[test]
fn an_overflow_always_reaches_the_pump() {
    shuttle::check_pct(
        || {
            let limits = Limits::default().max_queued(2).overflow(Overflow::Close);
            let outbox = TaskHandle::new(&limits);
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let transport = transport_of(&outbox);
                    thread::spawn(move || {
                        for n in 0..3u8 {
                            let _ = transport.send(Message::from(vec![n]), &SendOptions::new());
                        }
                    })
                })
                .collect();
            for sender in senders {
                sender.join().unwrap();
            }
            // No pump took anything: two fit, the third closed.
            let mut batch = Batch::default();
            let taken = outbox.take(&mut batch);
            assert!(taken.overflowed && taken.close.is_some());
            assert!(payloads(&batch).is_empty(), "the queue was discarded");
            assert!(outbox.dropped() >= 3);
        },
        RUNS,
        3,
    );
}

#[test]
fn dropping_the_oldest_keeps_the_newest_in_order() {
    shuttle::check_random(
        || {
            let limits = Limits::default()
                .max_queued(Limit::At(2))
                .overflow(Overflow::DropOldest);
            let outbox = TaskHandle::new(&limits);
            let transport = transport_of(&outbox);
            let sender = thread::spawn(move || {
                for n in 0..6u8 {
                    transport
                        .send(Message::from(vec![n]), &SendOptions::new())
                        .unwrap();
                }
                let dropped = transport.outbox.dropped();
                transport.close(CloseCode::NORMAL.into());
                transport.wake();
                dropped
            });
            let seen = pump(outbox);
            let dropped = sender.join().unwrap();
            assert_eq!(seen.len() as u64 + dropped, 6);
            assert!(seen.is_sorted() && seen.last() == Some(&5), "{seen:?}");
        },
        RUNS,
    );
}
