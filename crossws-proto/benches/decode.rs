//! Measures decoding: nanoseconds per frame from a full read buffer, for this crate's decoder and
//! tungstenite's.
//!
//! `cargo bench -p crossws-proto --bench decode`

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::hint::black_box;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use bytes::BytesMut;
use crossws_core::Limits;
use crossws_proto::frame::{Decoder, Opcode, Role, put_masked_frame};
use tungstenite::protocol::{self, WebSocketConfig, WebSocketContext};

/// The number of bytes that one read returns.
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
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            our_times.push(ours(&bytes, frames));
            their_times.push(theirs(&bytes, frames));
        }
        println!(
            "{name:<26} {:>8.1} {:>12.1}",
            median(our_times),
            median(their_times)
        );
    }
}

/// Returns nanoseconds per frame of this crate's decoder.
fn ours(bytes: &[u8], frames: usize) -> f64 {
    let mut decoder = Decoder::new(Role::Server, &Limits::default());
    time(bytes, frames, |input| {
        decoder.decode(input).unwrap().is_some()
    })
}

/// Returns nanoseconds per frame of tungstenite.
fn theirs(bytes: &[u8], frames: usize) -> f64 {
    let config = WebSocketConfig::default().read_buffer_size(4 << 10);
    let mut context = WebSocketContext::new(protocol::Role::Server, Some(config));
    time(bytes, frames, |input| {
        match context.read(&mut Wire(input)) {
            Ok(message) => {
                drop(black_box(message));
                true
            }
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    })
}

fn time(bytes: &[u8], frames: usize, mut decode: impl FnMut(&mut &mut [u8]) -> bool) -> f64 {
    let mut scratch = bytes.to_vec();
    let times = 1 + 400_000 / frames.max(40);
    let mut spent = 0;
    for _ in 0..times {
        scratch.copy_from_slice(bytes);
        let mut input = &mut scratch[..];
        let mut seen = 0;
        let start = Instant::now();
        while decode(black_box(&mut input)) {
            seen += 1;
        }
        spent += start.elapsed().as_nanos();
        assert_eq!(seen, frames);
    }
    spent as f64 / (times * frames) as f64
}

/// A slice as the stream that tungstenite reads from and writes to.
struct Wire<'a, 'b>(&'a mut &'b mut [u8]);

impl Read for Wire<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = buf.len().min(self.0.len());
        let (taken, rest) = std::mem::take(self.0).split_at_mut(count);
        buf[..count].copy_from_slice(taken);
        *self.0 = rest;
        Ok(count)
    }
}

impl Write for Wire<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
