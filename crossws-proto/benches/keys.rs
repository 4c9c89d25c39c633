//! Measures how long it takes to replace a waiting message by its key, with few and with many keys.
//!
//! `cargo bench -p crossws-proto --bench keys`

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossws_core::Limits;
use crossws_core::adapter::QueueSize;
use crossws_proto::frame::ServerFrame;
use crossws_proto::outbox::{Batch, Clock, Outbox};

const ROUNDS: usize = 20_000;

struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

fn main() {
    for count in [1, 64, 4096] {
        let limits = Limits::default().max_queued(2 * count);
        let outbox = Outbox::<ServerFrame, _>::new(&limits, NoClock);
        // The client takes nothing.
        outbox.take(&mut Batch::default());
        outbox.must_wait();
        let keys: Vec<Arc<str>> = (0..count).map(|n| format!("key {n}").into()).collect();
        let frame = || Bytes::from_static(b"\x81\x05price");
        let replace = |n: usize| outbox.replace(&keys[n % count], frame).unwrap();
        (0..count).for_each(|n| assert!(replace(n).queued));
        let start = Instant::now();
        (0..ROUNDS).for_each(|n| assert!(replace(n.wrapping_mul(7)).queued));
        let each = start.elapsed().as_nanos() / ROUNDS as u128;
        assert_eq!(outbox.waiting(), QueueSize::new(7 * count, count));
        println!("{count:>5} keys wait: {each} ns");
    }
}
