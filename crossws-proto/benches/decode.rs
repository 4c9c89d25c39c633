//! What decoding costs: nanoseconds a frame, ours beside tungstenite's, from a full read buffer.
//!
//! `cargo bench -p crossws-proto --features tungstenite --bench decode`

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::Instant;

use bytes::BytesMut;
use crossws_core::Limits;
use crossws_proto::engine::{Decoder, Engine, Event, Opcode, Role, Tungstenite, put_masked_frame};

/// As much as one read takes.
const BUFFER: usize = 64 << 10;
const ROUNDS: usize = 9;

fn main() {
    let ascii = |len: usize| "x".repeat(len).into_bytes();
    let words = "zażółć gęślą jaźń ";
    let cases = [
        ("text, 16 B", Opcode::Text, ascii(16)),
        ("text, 64 B", Opcode::Text, ascii(64)),
        (
            "text, 64 B, not ASCII",
            Opcode::Text,
            words.repeat(3).as_bytes()[..65].to_vec(),
        ),
        ("text, 1 KiB", Opcode::Text, ascii(1 << 10)),
        ("text, 16 KiB", Opcode::Text, ascii(16 << 10)),
        (
            "text, 16 KiB, not ASCII",
            Opcode::Text,
            words.repeat(630).into_bytes(),
        ),
        ("binary, 64 B", Opcode::Binary, vec![0; 64]),
        ("binary, 16 KiB", Opcode::Binary, vec![0; 16 << 10]),
        ("ping, empty", Opcode::Ping, Vec::new()),
    ];
    println!("{:<26} {:>8} {:>12}", "ns a frame", "ours", "tungstenite");
    for (name, opcode, payload) in cases {
        let mut frame = BytesMut::new();
        put_masked_frame(&mut frame, opcode, &payload).unwrap();
        let frames = BUFFER / frame.len();
        let bytes = frame.repeat(frames);
        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        for _ in 0..ROUNDS {
            ours.push(time::<Decoder>(&bytes, frames));
            theirs.push(time::<Tungstenite>(&bytes, frames));
        }
        println!("{name:<26} {:>8.1} {:>12.1}", median(ours), median(theirs));
    }
}

/// Nanoseconds a frame.
fn time<E: Engine>(bytes: &[u8], frames: usize) -> f64 {
    let mut engine = E::new(Role::Server, &Limits::default());
    let mut scratch = bytes.to_vec();
    let times = 1 + 400_000 / frames.max(40);
    let mut spent = 0;
    for _ in 0..times {
        scratch.copy_from_slice(bytes);
        let mut input = &mut scratch[..];
        let mut seen = 0;
        let start = Instant::now();
        while let Some(event) = engine.decode(black_box(&mut input)).unwrap() {
            let event: Event = black_box(event);
            drop(event);
            seen += 1;
        }
        spent += start.elapsed().as_nanos();
        assert_eq!(seen, frames);
    }
    spent as f64 / (times * frames) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
