//! The floor of a chat: an epoll loop that knows its clients and nothing else. Everything that one
//! turn of the loop reads becomes one log of frames, encoded once. Every member of the room gets
//! that log without its own messages, in one write. No hooks, no limits, no pings, one topic, no
//! UTF-8 check.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use crossws_bench::{app, wire};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Head,
    Echo,
    Chat,
}

struct Conn {
    stream: TcpStream,
    mode: Mode,
    /// The beginning of an incomplete frame.
    rest: Vec<u8>,
    /// Bytes that the socket had no room for.
    owed: Vec<u8>,
    closing: bool,
}

/// The room's messages of one turn.
#[derive(Default)]
struct Log {
    bytes: Vec<u8>,
    /// The sender of each part, in order, and the part's end.
    parts: Vec<(usize, usize)>,
}

fn main() -> io::Result<()> {
    let address = app::address().parse().map_err(io::Error::other)?;
    let mut listener = TcpListener::bind(address)?;
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("http://{address}");

    let mut conns: Vec<Option<Conn>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut members: Vec<usize> = Vec::new();
    let mut log = Log::default();
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; 256 << 10];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let at = free.pop().unwrap_or(conns.len());
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(at), both)?;
                    let conn = Some(Conn {
                        stream,
                        mode: Mode::Head,
                        rest: Vec::new(),
                        owed: Vec::new(),
                        closing: false,
                    });
                    match conns.get_mut(at) {
                        Some(place) => *place = conn,
                        None => conns.push(conn),
                    }
                }
                continue;
            }
            let at = event.token().0;
            let Some(Some(conn)) = conns.get_mut(at) else {
                continue;
            };
            let new = conn.mode == Mode::Head;
            let turn = turn(conn, at, &mut scratch, &mut log);
            if turn.is_err() || (conn.closing && conn.owed.is_empty()) {
                conns[at] = None;
                free.push(at);
                members.retain(|member| *member != at);
            } else if new && conn.mode == Mode::Chat {
                members.push(at);
            }
        }
        if !log.parts.is_empty() {
            for &member in &members {
                if let Some(Some(conn)) = conns.get_mut(member) {
                    // The next event of the connection finds its error again and handles it.
                    let _ = tell(conn, member, &log);
                }
            }
            log.bytes.clear();
            log.parts.clear();
        }
    }
}

/// Reads what has arrived and handles it. An error ends the connection.
fn turn(conn: &mut Conn, at: usize, scratch: &mut [u8], log: &mut Log) -> io::Result<()> {
    flush(conn)?;
    loop {
        let kept = conn.rest.len();
        scratch[..kept].copy_from_slice(&conn.rest);
        let read = match conn.stream.read(&mut scratch[kept..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let all = kept + read;
        let used = handle(conn, at, &mut scratch[..all], log)?;
        conn.rest.clear();
        conn.rest.extend_from_slice(&scratch[used..all]);
        flush(conn)?;
        if all < scratch.len() {
            return Ok(());
        }
    }
}

/// Handles the whole frames in `bytes`. Returns their length.
fn handle(conn: &mut Conn, at: usize, bytes: &mut [u8], log: &mut Log) -> io::Result<usize> {
    let mut used = 0;
    if conn.mode == Mode::Head {
        let Some(end) = wire::head_end(bytes) else {
            return Ok(0);
        };
        let (path, answer) = wire::accept(&bytes[..end])?;
        conn.owed.extend_from_slice(answer.as_bytes());
        conn.mode = Mode::Echo;
        if path != "/echo" {
            conn.mode = Mode::Chat;
            wire::put_frame(&mut conn.owed, wire::TEXT, b"ready", None);
        }
        used = end;
    }
    let from = log.bytes.len();
    let out = match conn.mode {
        Mode::Chat => &mut log.bytes,
        Mode::Head | Mode::Echo => &mut conn.owed,
    };
    while let Some(frame) = wire::frame(&bytes[used..])? {
        let payload = used + frame.payload.start..used + frame.payload.end;
        used = payload.end;
        let mask = frame.mask.ok_or_else(|| wire::invalid("no mask"))?;
        conn.closing |= frame.opcode == wire::CLOSE;
        if conn.closing && conn.mode == Mode::Chat {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        wire::put_header(out, frame.opcode, payload.len(), None);
        let start = out.len();
        out.extend_from_slice(&bytes[payload]);
        wire::apply_mask(&mut out[start..], mask);
    }
    if log.bytes.len() > from {
        log.parts.push((at, log.bytes.len()));
    }
    Ok(used)
}

/// Writes the log to a member, without that member's own parts.
fn tell(conn: &mut Conn, member: usize, log: &Log) -> io::Result<()> {
    let mut slices = Vec::with_capacity(2);
    let mut from = 0;
    let mut start = 0;
    for &(who, end) in &log.parts {
        if who == member {
            if start > from {
                slices.push(IoSlice::new(&log.bytes[from..start]));
            }
            from = end;
        }
        start = end;
    }
    if start > from {
        slices.push(IoSlice::new(&log.bytes[from..start]));
    }
    let mut written = 0;
    if conn.owed.is_empty() && !slices.is_empty() {
        let wrote = match &slices[..] {
            // A plain write is the cheaper call.
            [slice] => conn.stream.write(slice),
            slices => conn.stream.write_vectored(slices),
        };
        written = match wrote {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            other => other?,
        };
    }
    for slice in &slices {
        let skip = written.min(slice.len());
        written -= skip;
        conn.owed.extend_from_slice(&slice[skip..]);
    }
    Ok(())
}

fn flush(conn: &mut Conn) -> io::Result<()> {
    let mut written = 0;
    while written < conn.owed.len() {
        match conn.stream.write(&conn.owed[written..]) {
            Ok(n) => written += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    conn.owed.drain(..written);
    Ok(())
}
