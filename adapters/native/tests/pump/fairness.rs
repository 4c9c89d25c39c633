//! A connection that never pauses lets other tasks run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossws_core::{Deflate, Limits, hooks};

use crate::connection::*;

#[test]
fn a_spawned_future_runs_although_messages_never_stop() {
    let polled = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&polled);
    let count = Arc::new(AtomicUsize::new(0));
    let hooks = hooks().on_message(move |peer, _| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            let (seen, count) = (Arc::clone(&seen), Arc::clone(&count));
            peer.spawn(async move { seen.store(count.load(Ordering::SeqCst), Ordering::SeqCst) });
        }
        async {}
    });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x81, b"").repeat(5000));
    assert!((1..200).contains(&polled.load(Ordering::SeqCst)));
}

/// What a hook is told later waits in memory until then: a client that subscribes and unsubscribes must not
/// be able to fill that.
#[test]
fn hooks_that_messages_bring_about_keep_up_with_messages_that_never_stop() {
    let (left, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (more, less, seen) = (Arc::clone(&left), Arc::clone(&left), Arc::clone(&most));
    let hooks = hooks()
        .on_message(move |peer, _| {
            peer.subscribe("topic").unwrap();
            peer.unsubscribe("topic");
            seen.fetch_max(more.fetch_add(2, Ordering::SeqCst), Ordering::SeqCst);
            async {}
        })
        .on_subscription(move |_, _| {
            less.fetch_sub(1, Ordering::SeqCst);
            async {}
        });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.receive(&frame(0x81, b"").repeat(5000));
    assert_eq!(left.load(Ordering::SeqCst), 0);
    let most = most.load(Ordering::SeqCst);
    assert!(most < 200, "{most} hooks waited");
}

#[test]
fn a_hook_that_brings_about_itself_lets_messages_and_other_tasks_run() {
    let (heard, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (hears, tells) = (Arc::clone(&heard), Arc::clone(&told));
    let hooks = hooks()
        .on_message(move |peer, _| {
            hears.fetch_add(1, Ordering::SeqCst);
            peer.subscribe("topic").unwrap();
            async {}
        })
        .on_subscription(move |peer, it| {
            tells.fetch_add(1, Ordering::SeqCst);
            match it.joined {
                true => drop(peer.unsubscribe("topic")),
                false => drop(peer.subscribe("topic")),
            }
            async {}
        });
    let mut connection = Connection::open(hooks, Limits::default());
    connection.settle();
    connection.arrive(&frame(0x81, b"").repeat(1000));
    for polls in 1..=200 {
        let before = told.load(Ordering::SeqCst);
        assert!(connection.poll(), "it comes back");
        let told = told.load(Ordering::SeqCst) - before;
        assert!(told < 200, "{told} hooks in one go");
        if heard.load(Ordering::SeqCst) == 1000 {
            return;
        }
        assert!(polls < 200, "the messages are not heard");
    }
}

#[test]
fn a_client_that_never_pauses_is_written_to_and_lets_other_tasks_run() {
    let limits = Limits::default().max_message_size(100);
    let heard = Arc::new(AtomicUsize::new(0));
    let hooks = {
        let heard = Arc::clone(&heard);
        hooks().on_message(move |_, _: crossws_core::Message| {
            heard.fetch_add(1, Ordering::SeqCst);
            async {}
        })
    };
    let mut connection = Connection::open(hooks, limits);
    connection.settle();
    let chunks = vec![frame(0x82, &[7; 100]).into(); 10_000];
    connection.wire().input.extend(chunks);
    connection.wire().writes = 0;
    connection
        .hub
        .in_namespace("/room")
        .broadcast("news")
        .unwrap();
    let waker = connection.wire().read_waker.take().unwrap();
    waker.wake();
    connection.poll();
    assert_eq!(connection.wire().writes, 1);
    let heard = heard.load(Ordering::SeqCst);
    assert!(heard < 200, "{heard} messages in one go");
}

/// Encodes a compressed message that inflates to `size` bytes.
fn bomb(size: usize) -> Vec<u8> {
    let mut payload = Vec::with_capacity(size);
    flate2::Compress::new(flate2::Compression::best(), false)
        .compress_vec(&vec![0; size], &mut payload, flate2::FlushCompress::Sync)
        .unwrap();
    payload.truncate(payload.len() - 4);
    let mut bomb = vec![0xc2, 0xfe];
    bomb.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bomb.extend([0; 4]);
    bomb.extend(payload);
    bomb
}

#[test]
fn messages_that_inflate_to_the_largest_let_other_tasks_run() {
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    let hooks = hooks().on_message(move |_, message: crossws_core::Message| {
        counted.fetch_add(message.len(), Ordering::SeqCst);
        async {}
    });
    let mut connection = Connection::compressed(hooks, Deflate::default());
    let size = 1 << 20;
    let bomb = bomb(size);
    connection.arrive(&bomb.repeat(32));
    assert!(connection.poll());
    let inflated = heard.load(Ordering::SeqCst);
    assert!(inflated <= 5 * size, "{inflated} bytes in one go");
    connection.settle();
    assert_eq!(heard.load(Ordering::SeqCst), 32 * size);
}

#[test]
fn messages_that_inflate_for_no_hook_let_other_tasks_run() {
    let mut connection = Connection::compressed(hooks(), Deflate::default());
    let namespace = connection.hub.in_namespace("/room");
    namespace.close_all(crossws_core::CloseCode::NORMAL);
    connection.settle();
    let bomb = bomb(1 << 20);
    connection
        .wire()
        .input
        .extend(vec![bomb.clone().into(); 32]);
    connection.arrive(&bomb);
    let reads = connection.wire().reads;
    assert!(connection.poll(), "it comes back");
    let reads = connection.wire().reads - reads;
    assert!(reads <= 5, "{reads} of them in one go");
    // Messages of one read do not run all at once either.
    connection.settle();
    let wakes = connection.wakes.count();
    connection.receive(&[bomb.repeat(32), frame(0x88, &CLOSE)].concat());
    let wakes = connection.wakes.count() - wakes;
    assert!(wakes >= 32 / 5, "{wakes} turns for all of them");
    assert!(connection.wire().shut_down, "the close is complete");
}

#[test]
fn a_client_that_is_only_drained_and_never_pauses_lets_other_tasks_run() {
    let mut connection = Connection::open(hooks(), Limits::default());
    connection.settle();
    let namespace = connection.hub.in_namespace("/room");
    namespace.close_all(crossws_core::CloseCode::NORMAL);
    connection.arrives_without_end(&frame(0x82, &[7; 100]));
    connection.pass(secs(5));
    assert!(connection.over && connection.wire().aborted);
}

#[test]
fn bytes_after_the_end_let_other_tasks_run() {
    let mut connection = Connection::open(hooks(), Limits::default());
    connection.receive(&frame(0x88, &CLOSE));
    assert!(connection.wire().shut_down && !connection.over);
    connection.arrives_without_end(b"on and on");
    connection.end_input();
    assert!(connection.over && !connection.wire().aborted);
}

#[test]
fn a_large_message_lets_other_tasks_run_while_a_hook_waits() {
    let limits = Limits::default().max_message_size(crossws_core::Limit::Unlimited);
    let hooks = hooks().on_message(|_, _| std::future::pending::<()>());
    let mut connection = Connection::open(hooks, limits);
    connection.receive(&frame(0x81, b"stuck"));
    let mut header = vec![0x82, 0xff];
    header.extend((1_u64 << 40).to_be_bytes());
    header.extend([0; 4]);
    connection.receive(&header);
    connection.arrives_without_end(&[7; 100]);
}

#[test]
fn a_client_that_reads_all_replies_at_once_lets_other_tasks_run() {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&asked);
    // The next message waits until the reply to the one before is written.
    let hooks = hooks().on_message(move |peer, _| {
        seen.fetch_add(1, Ordering::SeqCst);
        async move { peer.send(vec![7; 600]) }
    });
    let mut connection = Connection::open(hooks, Limits::default().max_buffered(1000));
    for _ in 0..1000 {
        connection.arrive(&frame(0x81, b"ask"));
    }
    connection.poll();
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked < 200, "{asked} messages in one go");
}

#[test]
fn a_room_that_never_pauses_lets_other_tasks_run() {
    let mut connection = Connection::open(hooks(), Limits::default());
    let hub = connection.hub.clone();
    let left = AtomicUsize::new(10_000);
    connection.wire().on_write = Some(Box::new(move || {
        if left.fetch_sub(1, Ordering::SeqCst) > 1 {
            hub.in_namespace("/room").broadcast("more").unwrap();
        }
    }));
    let room = connection.hub.in_namespace("/room");
    room.broadcast("news").unwrap();
    let writes = connection.wire().writes;
    assert!(connection.poll(), "it comes back");
    let writes = connection.wire().writes - writes;
    assert!(writes < 200, "{writes} writes in one go");
    assert_eq!(connection.take().len(), 10_000 * 6);
    connection.wire().on_write = None;
}

fn limited() -> Limits {
    Limits::default().max_buffered(10_000)
}

/// Counts messages, after an `open` hook that lets its own queue grow.
fn counts(grows: bool) -> (crossws_core::HooksBuilder, Arc<AtomicUsize>) {
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    let hooks = hooks()
        .on_open(move |peer| async move {
            if grows {
                // More than half of what may wait, and too little for the `drain` hook.
                peer.send(vec![7; 6_000])?;
                peer.send("more")?;
            }
            crossws_core::ok()
        })
        .on_message(move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            async {}
        });
    (hooks, heard)
}

/// Opens a connection in the same namespace whose client does not read and is behind.
fn falls_behind(others: &Connection) -> (Connection, crossws_core::Peer) {
    let mut slow = others.open_beside(hooks());
    slow.set_room(0);
    let peer = others.hub.peers().into_iter().last().unwrap();
    peer.send(vec![7; 6_000]).unwrap();
    (slow, peer)
}

#[test]
fn only_the_first_message_waits_for_clients_that_are_behind() {
    for (grows, control) in [(false, false), (true, false), (false, true)] {
        let (hooks, heard) = counts(grows);
        let mut connection = Connection::open(hooks, limited());
        let mut first = frame(0x81, b"first");
        if control {
            first = [frame(0x89, b""), first].concat();
        }
        connection.receive(&first);
        assert_eq!(heard.load(Ordering::SeqCst), 1);
        let (_slow, _) = falls_behind(&connection);
        connection.receive(&frame(0x81, b"second"));
        assert_eq!(heard.load(Ordering::SeqCst), 2, "{grows} {control}");
    }
}

#[test]
fn a_first_message_waits_for_clients_that_are_behind_also_after_a_ping() {
    for control in [false, true] {
        let (hooks, heard) = counts(false);
        let mut connection = Connection::open(hooks, limited());
        let (_slow, peer) = falls_behind(&connection);
        let mut first = frame(0x81, b"first");
        if control {
            first = [frame(0x89, b""), first].concat();
        }
        connection.receive(&first);
        let heard = heard.load(Ordering::SeqCst);
        // It has 300 ms of real time.
        assert!(heard == 0 || !peer.is_behind(), "{control}");
    }
}
