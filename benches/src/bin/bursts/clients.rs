//! The members, which read at once; the one member that does not; and the publishers.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossws_bench::wire;
use crossws_core::CloseFrame;
use mio::{Events, Interest, Poll, Token};

use super::{CROWD, Case, Publisher};

/// The longest time that a message may take.
const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const MASK: [u8; 4] = [1, 2, 3, 4];

/// The result of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    /// Members that were closed although they read.
    closed: usize,
    /// Messages that did not arrive.
    lost: usize,
    /// Messages that arrived in another order than they were sent.
    disordered: usize,
    /// Whether the member that does not read stayed connected although more than its bounds waited
    /// for it.
    spared: bool,
}

impl Outcome {
    pub(crate) const GOOD: Self = Self {
        closed: 0,
        lost: 0,
        disordered: 0,
        spared: false,
    };
}

/// The server. It ends when this is dropped.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn serve(case: &Case) -> io::Result<(Server, SocketAddr)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["serve", case.runtime, &case.threads.to_string()])
        .env("SMOL_THREADS", case.threads.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
    let server = Server(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address = line.trim().parse().map_err(io::Error::other)?;
    Ok((server, address))
}

/// Connects, and waits for the greeting.
pub(crate) fn connect(address: SocketAddr, path: &str, number: usize) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    let source = SocketAddr::from(([127, 0, 1, 1 + (number % 16) as u8], 0));
    socket.bind(&source.into())?;
    socket.connect(&address.into())?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(wire::request(path, &address.to_string()).as_bytes())?;
    let mut bytes = Vec::new();
    let mut byte = [0];
    // Byte by byte: nothing after the greeting may be consumed.
    while !bytes.ends_with(b"\x81\x05ready") {
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    Ok(stream)
}

struct Member {
    stream: mio::net::TcpStream,
    rest: Vec<u8>,
    seen: usize,
    /// The next expected number of each publisher.
    next: Vec<u64>,
    /// Whether it waits for its turn to be read.
    readable: bool,
    /// Whether it has received everything or was closed.
    done: bool,
}

/// Returns a message's publisher and number.
fn stamp(payload: &[u8]) -> Option<(usize, u64)> {
    let bytes: [u8; 8] = payload.get(..8)?.try_into().ok()?;
    let all = u64::from_be_bytes(bytes);
    Some(((all >> 48) as usize, all & 0xffff_ffff_ffff))
}

pub(crate) fn run(case: &Case) -> io::Result<Outcome> {
    let (_server, address) = serve(case)?;
    // This member joins the room and never reads.
    let idler = connect(address, "/member", 0)?;
    let member = |number| connect(address, "/member", number);
    let streams: Vec<TcpStream> = (0..case.room).map(member).collect::<io::Result<_>>()?;
    // A publisher that is a member receives the other publishers' messages.
    let path = match case.publisher {
        Publisher::Member => "/member",
        Publisher::Outsider | Publisher::Crowd => "/outsider",
        Publisher::Send => "/send",
        Publisher::Hub => "/hub",
        Publisher::HubPeer => "/hub-peer",
    };
    let publishers = if case.publisher == Publisher::Crowd {
        CROWD
    } else {
        1
    };
    let each = case.count / publishers;
    let publishing: Vec<TcpStream> = (0..publishers)
        .map(|number| connect(address, path, number))
        .collect::<io::Result<_>>()?;
    let case = *case;
    let sending = thread::spawn(move || send(&case, publishing, each));
    let mut outcome = read(streams, publishers, each)?;
    if case.count * case.size >= PLENTY {
        outcome.spared = !is_closed_as_slow(idler)?;
    }
    sending
        .join()
        .map_err(|_| io::Error::other("a publisher panicked"))??;
    Ok(outcome)
}

/// More than a queue's bound plus what systems buffer for a client that does not read.
const PLENTY: usize = 16 << 20;

/// Reads what is still in flight to the member that has read nothing so far. Returns whether the
/// server closed it as a slow consumer.
fn is_closed_as_slow(mut idler: TcpStream) -> io::Result<bool> {
    let mut bytes = Vec::new();
    match idler.read_to_end(&mut bytes) {
        Ok(_) => {
            let frame = CloseFrame::slow_consumer();
            let code = frame.code().get().to_be_bytes();
            Ok(bytes.ends_with(&[&code[..], &frame.reason().as_bytes()[..]].concat()))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        // Where the burst took longer than `close_timeout`.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(true),
        Err(error) => Err(error),
    }
}

fn send(case: &Case, mut streams: Vec<TcpStream>, each: usize) -> io::Result<Vec<TcpStream>> {
    if matches!(case.publisher, Publisher::Hub | Publisher::HubPeer) {
        let text = format!("{each} {}", case.size);
        let mut frame = Vec::new();
        wire::put_frame(&mut frame, wire::TEXT, text.as_bytes(), Some(MASK));
        streams[0].write_all(&frame)?;
        // The task ends with its peer, which must answer pings if the burst is long.
        thread::spawn(move || streams.iter_mut().try_for_each(answer_pings));
        return Ok(Vec::new());
    }
    let mut payload = vec![b'x'; case.size];
    let mut buffer = Vec::new();
    // In pieces of 64 messages, round robin.
    for from in (0..each).step_by(64) {
        for (publisher, stream) in streams.iter_mut().enumerate() {
            buffer.clear();
            for number in from..each.min(from + 64) {
                let stamp = ((publisher as u64) << 48 | number as u64).to_be_bytes();
                if payload.len() >= stamp.len() {
                    payload[..stamp.len()].copy_from_slice(&stamp);
                }
                wire::put_frame(&mut buffer, wire::BINARY, &payload, Some(MASK));
            }
            stream.write_all(&buffer)?;
        }
    }
    Ok(streams)
}

/// Returns the answer to a ping. Long bursts outlive `pong_timeout`.
fn pong(payload: &[u8]) -> Vec<u8> {
    let mut pong = Vec::new();
    wire::put_frame(&mut pong, wire::PONG, payload, Some(MASK));
    pong
}

/// Reads until the server ends the connection.
fn answer_pings(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(None)?;
    let (mut bytes, mut scratch) = (Vec::new(), [0; 1024]);
    loop {
        let read = stream.read(&mut scratch)?;
        if read == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&scratch[..read]);
        while let Some(frame) = wire::frame(&bytes)? {
            if frame.opcode == wire::PING {
                stream.write_all(&pong(&bytes[frame.payload.clone()]))?;
            }
            bytes.drain(..frame.payload.end);
        }
    }
}

/// Reads everything, on as many threads as the server could keep busy: a member on a thread that
/// gets no turn does not read at once.
fn read(streams: Vec<TcpStream>, publishers: usize, each: usize) -> io::Result<Outcome> {
    let threads = thread::available_parallelism()?.get();
    let mut groups: Vec<Vec<TcpStream>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, stream) in streams.into_iter().enumerate() {
        groups[number % threads].push(stream);
    }
    let readers: Vec<_> = groups
        .into_iter()
        .map(|group| thread::spawn(move || read_group(group, publishers, each)))
        .collect();
    let mut outcome = Outcome::default();
    for reader in readers {
        let group = reader
            .join()
            .map_err(|_| io::Error::other("a reader panicked"))??;
        outcome.closed += group.closed;
        outcome.lost += group.lost;
        outcome.disordered += group.disordered;
    }
    Ok(outcome)
}

fn read_group(streams: Vec<TcpStream>, publishers: usize, each: usize) -> io::Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut members = Vec::new();
    for (number, stream) in streams.into_iter().enumerate() {
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        poll.registry()
            .register(&mut stream, Token(number), Interest::READABLE)?;
        members.push(Member {
            stream,
            rest: Vec::new(),
            seen: 0,
            next: vec![0; publishers],
            readable: false,
            done: false,
        });
    }
    let expected = each * publishers;
    let mut missing = members.len();
    let mut outcome = Outcome::default();
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; 1 << 20];
    let mut heard = Instant::now();
    // Each is read once in turn: one member's stream must not keep the others waiting.
    let mut readable = Vec::new();
    while missing > 0 && heard.elapsed() < PATIENCE {
        let wait = if readable.is_empty() {
            PATIENCE
        } else {
            Duration::ZERO
        };
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            let Token(number) = event.token();
            if !mem::replace(&mut members[number].readable, true) {
                readable.push(number);
            }
        }
        for number in mem::take(&mut readable) {
            heard = Instant::now();
            let member = &mut members[number];
            if member.done {
                continue;
            }
            match take(member, &mut scratch, &mut outcome) {
                Taken::All if member.seen < expected => member.readable = false,
                Taken::Some if member.seen < expected => readable.push(number),
                _ => {
                    member.done = true;
                    missing -= 1;
                }
            }
        }
    }
    for member in &members {
        outcome.lost += expected - member.seen.min(expected);
    }
    Ok(outcome)
}

/// What one turn of a member has read.
enum Taken {
    All,
    /// There may be more.
    Some,
    /// The server has closed.
    End,
}

/// Reads once.
fn take(member: &mut Member, scratch: &mut [u8], outcome: &mut Outcome) -> Taken {
    let kept = member.rest.len();
    scratch[..kept].copy_from_slice(&member.rest);
    let read = match member.stream.read(&mut scratch[kept..]) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Taken::All,
        Err(_) => 0,
    };
    if read == 0 {
        outcome.closed += 1;
        return Taken::End;
    }
    let bytes = &scratch[..kept + read];
    let mut used = 0;
    while let Ok(Some(frame)) = wire::frame(&bytes[used..]) {
        if frame.opcode == wire::CLOSE {
            outcome.closed += 1;
            return Taken::End;
        }
        let payload = &bytes[used + frame.payload.start..used + frame.payload.end];
        if frame.opcode == wire::PING {
            // One pong fits into the socket's buffer.
            let _ = member.stream.write(&pong(payload));
        }
        if frame.opcode == wire::BINARY || frame.opcode == wire::TEXT {
            member.seen += 1;
            if let Some((publisher, number)) = stamp(payload)
                && let Some(next) = member.next.get_mut(publisher)
            {
                outcome.disordered += usize::from(*next != number);
                *next = number + 1;
            }
        }
        used += frame.payload.end;
    }
    member.rest.clear();
    member.rest.extend_from_slice(&bytes[used..]);
    Taken::Some
}
