//! Measures two connections over a pipe, without IO: nanoseconds for a message from one to the other,
//! and for a connection from its first message to its end.
//!
//! `cargo bench -p crossws-proto --features testing --bench pair`

#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Instant;

use crossws_core::{CloseCode, Limits};
use crossws_proto::testing::Pair;

const ROUNDS: usize = 9;

fn main() {
    println!("{:<26} {:>8}", "ns", "median");
    for (name, len) in [("message, 64 B", 64), ("message, 16 KiB", 16 << 10)] {
        let text = "x".repeat(len);
        let each = median(|| {
            const MESSAGES: usize = 200;
            let mut pair = Pair::new(Limits::default());
            let start = Instant::now();
            for _ in 0..MESSAGES {
                pair.client.send(text.clone());
                pair.run();
            }
            assert_eq!(pair.server.messages().len(), MESSAGES);
            start.elapsed().as_nanos() as f64 / MESSAGES as f64
        });
        println!("{name:<26} {each:>8.0}");
    }
    let whole = median(|| {
        const CONNECTIONS: usize = 200;
        let start = Instant::now();
        for _ in 0..CONNECTIONS {
            let mut pair = Pair::new(Limits::default());
            pair.client.send("hello");
            pair.run();
            pair.server.close(CloseCode::AWAY);
            pair.run_to_end();
            black_box(pair);
        }
        start.elapsed().as_nanos() as f64 / CONNECTIONS as f64
    });
    println!("{:<26} {whole:>8.0}", "connection, both ends");
}

fn median(measure: impl FnMut() -> f64) -> f64 {
    let mut values: Vec<_> = std::iter::repeat_with(measure).take(ROUNDS).collect();
    values.sort_by(f64::total_cmp);
    values[ROUNDS / 2]
}
