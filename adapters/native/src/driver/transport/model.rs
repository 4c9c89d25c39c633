//! Every interleaving that shuttle tries of senders, publishers, a closer and the pump: nothing
//! that was accepted is lost, order holds, and no wake-up is missed.

use std::io::IoSlice;
use std::task::Poll;

use crossws_core::adapter::{OpeningPeer, Publication, Transport};
use crossws_core::{CloseCode, HooksBuilder, Hub, Limit, Limits, Message, Overflow, SendOptions};
use shuttle::future::block_on;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use super::joined::join_with;
use super::*;
use crate::driver::task_handle::{Batch, TaskHandle};
use crossws_proto::handshake::Agreed;

const RUNS: usize = 10_000;

fn join(hub: &Hub) -> (OpeningPeer<HooksBuilder>, Arc<TaskHandle>) {
    let outbox = TaskHandle::new(hub.limits());
    let transport = NativeTransport::new(Arc::clone(&outbox), &Agreed::default());
    (join_with(hub, transport), outbox)
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

/// Returns a peer that reads the topic.
fn subscriber(hub: &Hub) -> (OpeningPeer<HooksBuilder>, Arc<TaskHandle>) {
    let (joined, outbox) = join(hub);
    joined.peer().subscribe("a").unwrap();
    (joined, outbox)
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
                    let transport = NativeTransport::new(Arc::clone(&outbox), &Agreed::default());
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
            let transport = NativeTransport::new(outbox, &Agreed::default());
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
                let transport = NativeTransport::new(Arc::clone(&outbox), &Agreed::default());
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
                let transport = NativeTransport::new(Arc::clone(&outbox), &Agreed::default());
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
                    let transport = NativeTransport::new(Arc::clone(&outbox), &Agreed::default());
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
            let transport = NativeTransport::new(Arc::clone(&outbox), &Agreed::default());
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

#[test]
fn what_one_thread_sends_and_publishes_arrives_in_its_order() {
    shuttle::check_random(
        || {
            let hub = Hub::default();
            let (joined, outbox) = join(&hub);
            let peer = joined.peer().clone();
            for topic in ["a", "b"] {
                peer.subscribe(topic).unwrap();
            }
            let pumping = thread::spawn(move || pump(outbox));
            let publishers: Vec<_> = [0u8, 10]
                .into_iter()
                .map(|base| {
                    let (hub, peer) = (hub.clone(), peer.clone());
                    thread::spawn(move || {
                        let room = hub.in_namespace("/");
                        room.publish("a", vec![base]).unwrap();
                        room.publish("b", vec![base + 1]).unwrap();
                        peer.send(vec![base + 2]).unwrap();
                        room.publish("a", vec![base + 3]).unwrap();
                        // Its own publications are in the log too, and not sent to it.
                        peer.publish("b", vec![99]).unwrap();
                        room.broadcast(vec![base + 4]).unwrap();
                    })
                })
                .collect();
            for publisher in publishers {
                publisher.join().unwrap();
            }
            peer.close(CloseCode::NORMAL, "");
            let seen = pumping.join().unwrap();
            assert_eq!(seen.len(), 10, "{seen:?}");
            for base in [0u8, 10] {
                let own = seen.iter().filter(|n| (base..base + 5).contains(n));
                assert!(own.is_sorted(), "{seen:?}");
            }
        },
        RUNS,
    );
}

#[test]
fn subscribers_see_a_topic_in_one_order_and_a_leaver_a_part_of_it() {
    shuttle::check_pct(
        || {
            let hub = Hub::default();
            let members: Vec<_> = (0..3).map(|_| subscriber(&hub)).collect();
            let peers: Vec<_> = members
                .iter()
                .map(|(joined, _)| joined.peer().clone())
                .collect();
            let (joined, outboxes): (Vec<_>, Vec<_>) = members.into_iter().unzip();
            let pumps: Vec<_> = outboxes
                .into_iter()
                .map(|outbox| thread::spawn(move || pump(outbox)))
                .collect();
            let mut threads: Vec<_> = [0u8, 10]
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
            let leaver = peers[2].clone();
            threads.push(thread::spawn(move || {
                leaver.unsubscribe("a");
                leaver.subscribe("a").unwrap();
            }));
            for thread in threads {
                thread.join().unwrap();
            }
            for peer in &peers {
                peer.close(CloseCode::NORMAL, "");
            }
            let seen: Vec<_> = pumps.into_iter().map(|pump| pump.join().unwrap()).collect();
            assert_eq!(seen[0].len(), 4);
            assert_eq!(seen[0], seen[1]);
            let mut whole = seen[0].iter();
            assert!(
                seen[2].iter().all(|n| whole.any(|one| one == n)),
                "{seen:?}"
            );
            drop(joined);
        },
        RUNS,
        3,
    );
}

#[test]
fn what_was_sent_before_the_close_is_written_before_it() {
    shuttle::check_pct(
        || {
            let hub = Hub::default();
            let (joined, outbox) = subscriber(&hub);
            let peer = joined.peer().clone();
            let pumping = thread::spawn(move || pump(outbox));
            let publisher = {
                let (hub, peer) = (hub.clone(), peer.clone());
                thread::spawn(move || {
                    hub.in_namespace("/").publish("a", vec![1]).unwrap();
                    // Fetched, and nothing for the one that fetches.
                    peer.publish("a", vec![99]).unwrap();
                })
            };
            let sent = usize::from(peer.send(vec![2]).is_ok());
            peer.close(CloseCode::NORMAL, "");
            publisher.join().unwrap();
            let seen = pumping.join().unwrap();
            assert_eq!(seen.iter().filter(|n| **n == 2).count(), sent, "{seen:?}");
            assert!(!seen.contains(&99), "{seen:?}");
        },
        RUNS,
        3,
    );
}

#[test]
fn no_frame_is_written_after_the_close_frame() {
    shuttle::check_pct(
        || {
            let hub = Hub::default();
            let (joined, outbox) = subscriber(&hub);
            let peer = joined.peer().clone();
            let pumping = {
                let outbox = Arc::clone(&outbox);
                thread::spawn(move || pump(outbox))
            };
            let publisher = {
                let hub = hub.clone();
                thread::spawn(move || hub.in_namespace("/").publish("a", vec![1]).unwrap())
            };
            // The pump may be fetching meanwhile.
            peer.ping("").unwrap();
            peer.close(CloseCode::NORMAL, "");
            publisher.join().unwrap();
            pumping.join().unwrap();
            let mut rest = Batch::default();
            outbox.take(&mut rest);
            assert!(rest.is_empty(), "a ping would follow");
            assert!(outbox.awaits_answer());
        },
        RUNS,
        3,
    );
}

/// Returns a subscriber that reads the topic's log: its pump is awake, and something waits.
fn busy_subscriber(hub: &Hub) -> (OpeningPeer<HooksBuilder>, Arc<TaskHandle>) {
    let (joined, outbox) = subscriber(hub);
    outbox.stay_awake();
    hub.in_namespace("/").publish("a", vec![0]).unwrap();
    (joined, outbox)
}

fn frames(outbox: &TaskHandle) -> usize {
    outbox.waiting().1
}

#[test]
fn what_was_published_counts_while_the_pump_fetches() {
    shuttle::check_pct(
        || {
            let hub = Hub::default();
            let (joined, outbox) = busy_subscriber(&hub);
            let pumping = {
                let outbox = Arc::clone(&outbox);
                thread::spawn(move || {
                    let mut batch = Batch::default();
                    outbox.take(&mut batch);
                    batch.frames()
                })
            };
            // Nothing is written meanwhile.
            for published in 2..5 {
                joined
                    .peer()
                    .hub()
                    .in_namespace("/")
                    .publish("a", vec![1])
                    .unwrap();
                let counted = frames(&outbox);
                assert!(counted >= published, "{counted} of {published} count");
            }
            let taken = pumping.join().unwrap();
            assert_eq!(frames(&outbox), 4, "{taken} of them were taken");
        },
        RUNS,
        3,
    );
}

#[test]
fn publishers_that_wait_for_slow_subscribers_close_no_reader() {
    shuttle::check_pct(
        || {
            // Half of the bound, and a message of each thread.
            let limits = Limits::default().max_queued(Limit::At(6));
            let hub = Hub::builder().limits(limits).build();
            let (joined, outbox) = busy_subscriber(&hub);
            let pumping = {
                let outbox = Arc::clone(&outbox);
                thread::spawn(move || {
                    let mut batch = Batch::default();
                    outbox.take(&mut batch);
                })
            };
            let publishers: Vec<_> = (0..2)
                .map(|_| {
                    let hub = hub.clone();
                    let (publisher, _) = join(&hub);
                    thread::spawn(move || {
                        let mut published = 0;
                        while published < 5 && !publisher.lifeline().must_wait(true) {
                            hub.in_namespace("/").publish("a", vec![1]).unwrap();
                            published += 1;
                        }
                        published
                    })
                })
                .collect();
            let published: Vec<_> = publishers
                .into_iter()
                .map(|publisher| publisher.join().unwrap())
                .collect();
            pumping.join().unwrap();
            assert_eq!(outbox.dropped(), 0, "{published:?}");
            drop(joined);
        },
        RUNS,
        3,
    );
}

#[test]
fn nothing_is_added_to_a_topic_that_was_left_and_nothing_of_it_is_lost() {
    shuttle::check_pct(
        || {
            let hub = Hub::default();
            let (joined, outbox) = busy_subscriber(&hub);
            let pumping = {
                let outbox = Arc::clone(&outbox);
                thread::spawn(move || {
                    let mut batch = Batch::default();
                    outbox.take(&mut batch);
                    payloads(&batch)
                })
            };
            let publisher = {
                let hub = hub.clone();
                thread::spawn(move || {
                    for n in 1..4 {
                        hub.in_namespace("/").publish("a", vec![n]).unwrap();
                    }
                })
            };
            joined.peer().unsubscribe("a");
            publisher.join().unwrap();
            let mut seen = pumping.join().unwrap();
            let counted = frames(&outbox) - seen.len();
            hub.in_namespace("/").publish("a", vec![9]).unwrap();
            assert_eq!(frames(&outbox) - seen.len(), counted, "one was added");
            outbox.written(&Batch::default());
            let mut batch = Batch::default();
            outbox.take(&mut batch);
            let rest = payloads(&batch);
            assert!(rest.len() <= counted, "{rest:?} of {counted}");
            seen.extend(rest);
            // The publications before it left, from the first on.
            assert_eq!(seen, (0..seen.len() as u8).collect::<Vec<_>>());
        },
        RUNS,
        3,
    );
}
