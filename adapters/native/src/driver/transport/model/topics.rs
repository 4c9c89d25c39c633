//! Subscribers of topics: what their topics' logs hold for them, and what is sent to them meanwhile.

use crossws_core::adapter::OpeningPeer;
use crossws_core::{HooksBuilder, Hub};

use super::*;
use crate::driver::transport::joined::join_with;

fn join(hub: &Hub) -> (OpeningPeer<HooksBuilder>, Arc<TaskHandle>) {
    let outbox = TaskHandle::new(hub.limits());
    (join_with(hub, transport_of(&outbox)), outbox)
}

/// Returns a peer that reads the topic.
fn subscriber(hub: &Hub) -> (OpeningPeer<HooksBuilder>, Arc<TaskHandle>) {
    let (joined, outbox) = join(hub);
    joined.peer().subscribe("a").unwrap();
    (joined, outbox)
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
    outbox.waiting().messages
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
