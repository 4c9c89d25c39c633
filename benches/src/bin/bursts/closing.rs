//! Measures how long it takes to close a room of members that lag, and how long another client
//! waits meanwhile.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossws_bench::wire;

use super::clients::{MASK, connect, serve};
use super::{Case, Publisher};

pub(crate) fn main(members: usize) -> ExitCode {
    let mut failed = false;
    for runtime in ["tokio", "smol"] {
        for threads in [1, 2] {
            match run(runtime, threads, members) {
                Ok((close, wait)) => {
                    println!(
                        "{runtime}, {threads} threads: {members} closed in {close:?}, another waited {wait:?}"
                    );
                }
                Err(error) => {
                    failed = true;
                    println!("{runtime}, {threads} threads: FAILED: {error}");
                }
            }
        }
    }
    ExitCode::from(u8::from(failed))
}

fn run(runtime: &'static str, threads: usize, members: usize) -> io::Result<(Duration, Duration)> {
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
    // More than systems buffer for a client that does not read, less than a queue's bound.
    let mut publisher = connect(address, "/outsider", 0)?;
    for _ in 0..600 {
        say(&mut publisher, &[b'x'; 1000])?;
    }
    let mut echo = connect(address, "/echo", 0)?;
    let mut closer = connect(address, "/close", 0)?;
    // Waits until everything is published.
    for _ in 0..200 {
        say(&mut echo, b"ping")?;
        hear(&mut echo)?;
    }
    let over = Arc::new(AtomicBool::new(false));
    let waiting = thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let from = Instant::now();
                say(&mut echo, b"ping")?;
                hear(&mut echo)?;
                longest = longest.max(from.elapsed());
            }
            io::Result::Ok(longest)
        }
    });
    say(&mut closer, b"now")?;
    let micros = hear(&mut closer)?;
    let micros = String::from_utf8_lossy(&micros)
        .parse()
        .map_err(io::Error::other)?;
    thread::sleep(Duration::from_secs(2));
    over.store(true, Ordering::Relaxed);
    let wait = waiting
        .join()
        .map_err(|_| io::Error::other("the client panicked"))??;
    drop(members);
    Ok((Duration::from_micros(micros), wait))
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
