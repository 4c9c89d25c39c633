//! The end of a peer, and what waits for it or runs until then.

use std::sync::Arc;

use crossws_core::{
    CloseCode, CloseFrame, Closed, ClosedBy, ErrorKind, HookKind, Hub, Incoming, PeerState,
    handler, hooks,
};
use shuttle::future::block_on;
use shuttle::thread;

use crate::common::{Log, Out, Wire, accept, assert_empty, open, poll_tasks, ready};
use crate::{check, plain};

fn frame() -> CloseFrame {
    CloseFrame::from(CloseCode::RESTART)
}

#[test]
fn a_connection_closes_once_whichever_thread_closes_it() {
    check(|| {
        let hub = Hub::default();
        // Logged, because a panic in a hook would be contained.
        let log = Log::default();
        let line = log.clone();
        let hooks = Arc::new(hooks().on_close(move |peer, _| {
            line.add(format!("{:?} {}", peer.state(), peer.peers().len()));
            async {}
        }));
        let wire = Wire::default();
        let joined = accept(&hub, &hooks, "/").join(wire.transport()).unwrap();
        let lifeline = joined.lifeline();
        let session = block_on(joined.open());
        let peer = session.peer().clone();
        let handle = peer.clone();
        let by_app = thread::spawn(move || handle.close(CloseCode::NORMAL, ""));
        let stopping = hub.clone();
        let by_shutdown = thread::spawn(move || stopping.shutdown(frame()));
        let by_client = thread::spawn(move || {
            lifeline.ended();
            let by_us = lifeline.closed_here();
            block_on(session.close(Closed::by_client(None)));
            by_us
        });
        by_app.join().unwrap();
        by_shutdown.join().unwrap();
        let by_us = by_client.join().unwrap();
        let frames = wire.take();
        match &frames[..] {
            [] => assert!(!by_us),
            [Out::Close(1000 | 1012, _)] => assert!(by_us),
            more => panic!("{more:?}"),
        }
        assert_eq!(log.take(), ["Closed 0"], "once, when it had left");
        assert_eq!(peer.state(), PeerState::Closed);
        assert_empty(&hub);
    });
}

#[test]
fn nothing_runs_after_idle() {
    check(|| {
        let hub = Hub::default();
        // Logged, because a panic in a hook would be contained.
        let log = Log::default();
        let (opening, closing) = (log.clone(), log.clone());
        let hooks = hooks()
            .on_open(move |_| {
                opening.add("open");
                async {}
            })
            .on_close(move |_, closed| {
                closing.add(format!("{:?}", closed.by));
                async {}
            });
        let accepted = accept(&hub, &Arc::new(hooks), "/");
        let stopping = hub.clone();
        let seen = log.clone();
        let stopper = thread::spawn(move || {
            stopping.shutdown(frame());
            block_on(stopping.idle());
            seen.take()
        });
        let (wire, mut sent) = (Wire::default(), 0);
        match accepted.join(wire.transport()) {
            Err(refused) => assert_eq!(refused, frame()),
            Ok(joined) => {
                sent = 1;
                let peer = joined.peer().clone();
                let session = block_on(joined.open());
                // As an adapter does: it runs until another task ends it.
                block_on(peer.closed());
                block_on(session.close(Closed::by_us(&frame(), ClosedBy::Server, true)));
            }
        }
        let before_idle = stopper.join().unwrap();
        match sent {
            0 => assert!(before_idle.is_empty()),
            _ => assert_eq!(before_idle, ["open", "Shutdown"]),
        }
        assert!(log.take().is_empty(), "a hook ran after idle");
        assert_eq!(wire.closes(), vec![1012; sent]);
        assert_empty(&hub);
    });
}

#[test]
fn closed_and_drained_miss_no_wake_up() {
    check(|| {
        let hub = Hub::default();
        let wire = Wire::default();
        wire.buffer(9);
        let joined = accept(&hub, &Arc::new(hooks()), "/")
            .join(wire.transport())
            .unwrap();
        let (peer, lifeline) = (joined.peer().clone(), joined.lifeline());
        let handle = peer.clone();
        let drained = thread::spawn(move || block_on(handle.drained(0)));
        let handle = peer.clone();
        let closed = thread::spawn(move || block_on(handle.closed()));
        wire.buffer(0);
        lifeline.drained();
        drained.join().unwrap();
        wire.buffer(9);
        let handle = peer.clone();
        let drained = thread::spawn(move || block_on(handle.drained(0)));
        peer.close(CloseCode::NORMAL, "");
        drained.join().unwrap();
        closed.join().unwrap();
    });
}

#[test]
fn idle_misses_no_wake_up() {
    check(|| {
        let hub = Hub::default();
        let (one, _wire) = plain(&hub);
        let (two, _wire) = plain(&hub);
        let waiting = hub.clone();
        let waiter = thread::spawn(move || block_on(waiting.idle()));
        let dropper = thread::spawn(move || drop(one));
        drop(two);
        dropper.join().unwrap();
        waiter.join().unwrap();
        assert_empty(&hub);
    });
}

#[test]
fn a_spawned_future_wakes_its_session() {
    check(|| {
        let hub = Hub::default();
        let (mut session, _wire) = plain(&hub);
        let peer = session.peer().clone();
        let spawner = thread::spawn(move || {
            let inner = peer.clone();
            peer.spawn(async move { inner.spawn(async { Err::<(), _>("failed") }) });
        });
        let notice = block_on(poll_tasks(&mut session));
        let error = notice.failure().unwrap();
        assert_eq!(error.kind(), ErrorKind::Hook(HookKind::Task));
        spawner.join().unwrap();
        // One that comes while the session ends is run or dropped, never kept.
        let peer = session.peer().clone();
        let kept = Arc::new(());
        let guard = Arc::clone(&kept);
        let spawner = thread::spawn(move || peer.spawn(async move { drop(guard) }));
        drop(session);
        spawner.join().unwrap();
        assert_eq!(Arc::strong_count(&kept), 1);
    });
}

#[test]
fn a_loop_elsewhere_gets_every_message_and_the_end() {
    check(|| {
        let hub = Hub::default();
        let place = Arc::new(std::sync::Mutex::new(None::<Incoming>));
        let put = Arc::clone(&place);
        let hooks = handler(move |_, incoming| {
            *put.lock().unwrap() = Some(incoming);
            async { Ok(crossws_core::HandlerEnd::KeepOpen) }
        });
        let (mut session, _wire) = open(&hub, &Arc::new(hooks), "/");
        assert!(ready(poll_tasks(&mut session)).is_none());
        let mut incoming = place.lock().unwrap().take().unwrap();
        let reader = thread::spawn(move || {
            block_on(async {
                let first = incoming.next().await.unwrap().to_string();
                let second = incoming.next().await.unwrap().to_string();
                // The rest goes nowhere, and delays no task.
                drop(incoming);
                [first, second]
            })
        });
        block_on(async {
            session.message("1".into()).await;
            session.message("2".into()).await;
            session.message("3".into()).await;
            session.close(Closed::by_client(None)).await;
        });
        assert_eq!(reader.join().unwrap(), ["1", "2"]);
        assert_empty(&hub);
    });
}
