//! Measures how long it takes to close a room of members that lag, and how long another client
//! waits meanwhile: until the last connection is dropped, because its client answers no close frame.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossws_bench::wire;

use super::clients::{MASK, connect, serve};
use super::{Case, Publisher};

/// The longest time that the call may take.
const MOST_CLOSE: Duration = Duration::from_millis(50);
/// The longest time that the other client may wait.
const MOST_WAIT: Duration = Duration::from_millis(20);
/// How many messages of 1,000 bytes are published to the members, which read none.
const PUBLISHED: usize = 900;
/// Longer than the default of `close_timeout`, after which the connections are dropped.
const WHOLE: Duration = Duration::from_secs(7);

pub(crate) fn main(members: usize) -> ExitCode {
    let mut failed = false;
    for runtime in ["tokio", "smol"] {
        for threads in [1, 2] {
            match run(runtime, threads, members) {
                Ok(it) => {
                    let kept = it.took <= MOST_CLOSE && it.wait <= MOST_WAIT.max(it.wait_before);
                    failed |= !kept;
                    println!(
                        "{} {runtime}, {threads} threads: {} of {members} lagged; closed in {:.1?} \
                         ({:.1?} of CPU time); another client waited {:.1?} at most, {:.1?} before",
                        if kept { "ok    " } else { "FAILED" },
                        it.lagged,
                        it.took,
                        it.cpu,
                        it.wait,
                        it.wait_before,
                    );
                }
                Err(error) => {
                    failed = true;
                    println!("FAILED {runtime}, {threads} threads: {error}");
                }
            }
        }
    }
    ExitCode::from(u8::from(failed))
}

struct Measured {
    /// How many members lagged when they were closed.
    lagged: u64,
    /// How long the call took, and the CPU time of its thread.
    took: Duration,
    cpu: Duration,
    /// The longest time that another client waited for its echo, from the call on.
    wait: Duration,
    /// The same before the call, for as long: what the machine itself costs.
    wait_before: Duration,
}

fn run(runtime: &'static str, threads: usize, members: usize) -> io::Result<Measured> {
    let case = Case {
        runtime,
        threads,
        publisher: Publisher::Outsider,
        room: members,
        size: 1000,
        count: 0,
    };
    let (_server, address) = serve(&case)?;
    let members: Vec<TcpStream> = (0..members)
        .map(|number| connect(address, "/member", number))
        .collect::<io::Result<_>>()?;
    let mut echo = connect(address, "/echo", 0)?;
    let mut closer = connect(address, "/close", 0)?;
    let mut publisher = connect(address, "/outsider", 0)?;
    // More than systems buffer for these clients, less than a queue's bound beyond that.
    for _ in 0..PUBLISHED {
        say(&mut publisher, &[b'x'; 1000])?;
    }
    // Waits until everything is published.
    for _ in 0..200 {
        say(&mut echo, b"ping")?;
        hear(&mut echo)?;
    }
    let over = Arc::new(AtomicBool::new(false));
    let longest = Arc::new(AtomicU64::new(0));
    let waiting = thread::spawn({
        let (over, longest) = (Arc::clone(&over), Arc::clone(&longest));
        move || {
            while !over.load(Ordering::Relaxed) {
                let from = Instant::now();
                say(&mut echo, b"ping")?;
                hear(&mut echo)?;
                let took = from.elapsed().as_micros() as u64;
                longest.fetch_max(took, Ordering::Relaxed);
                thread::sleep(Duration::from_micros(200));
            }
            io::Result::Ok(())
        }
    });
    thread::sleep(WHOLE);
    let wait_before = longest.swap(0, Ordering::Relaxed);
    say(&mut closer, b"now")?;
    let report = hear(&mut closer)?;
    let report = String::from_utf8_lossy(&report);
    let mut numbers = report.split(' ').map(str::parse::<u64>);
    let mut number = || {
        let next = numbers
            .next()
            .ok_or_else(|| wire::invalid("a short report"))?;
        next.map_err(io::Error::other)
    };
    let (lagged, took, cpu) = (number()?, number()?, number()?);
    thread::sleep(WHOLE);
    let wait = longest.load(Ordering::Relaxed);
    over.store(true, Ordering::Relaxed);
    waiting
        .join()
        .map_err(|_| io::Error::other("the client panicked"))??;
    drop(members);
    Ok(Measured {
        lagged,
        took: Duration::from_micros(took),
        cpu: Duration::from_micros(cpu),
        wait: Duration::from_micros(wait),
        wait_before: Duration::from_micros(wait_before),
    })
}

fn say(stream: &mut TcpStream, payload: &[u8]) -> io::Result<()> {
    let mut frame = Vec::new();
    wire::put_frame(&mut frame, wire::TEXT, payload, Some(MASK));
    stream.write_all(&frame)
}

fn hear(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(frame) = wire::frame(&bytes)? {
            return Ok(bytes[frame.payload].to_vec());
        }
        let mut more = [0; 256];
        let read = stream.read(&mut more)?;
        if read == 0 {
            return Err(wire::invalid("the server closed"));
        }
        bytes.extend_from_slice(&more[..read]);
    }
}
