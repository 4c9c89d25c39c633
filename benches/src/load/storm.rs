//! Clients that connect, upgrade, close in order, and start again.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use crossws_bench::wire;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::Sample;
use super::clients::{MASK, Target, bind};
use super::stream::Stream;
use super::window::Window;

struct Visitor {
    stream: Stream,
    step: Step,
    read: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Connecting,
    Upgrading,
    Closing,
}

/// Keeps `count` connections open at a time. Counts those that closed in order: a close frame, the
/// close frame in reply, then the end.
pub(crate) fn connect(target: &Target, time: Duration, count: u32) -> io::Result<Sample> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut visits = 0;
    let mut visitors = Vec::new();
    for at in 0..count {
        visitors.push(visit(target, poll.registry(), at, at)?);
    }
    let request = wire::request("/echo", &target.address.to_string());
    let mut close = Vec::new();
    wire::put_frame(&mut close, wire::CLOSE, &1000_u16.to_be_bytes(), Some(MASK));
    let mut window = Window::new(target.process, time);
    while !window.is_over(visits)? {
        match poll.poll(&mut events, Some(Duration::from_secs(20))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        if events.is_empty() {
            return Err(io::Error::new(ErrorKind::TimedOut, "connections hang"));
        }
        for event in &events {
            let at = event.token().0;
            let visitor = &mut visitors[at];
            if step(visitor, request.as_bytes(), &close)? {
                visits += 1;
                let number = visits as u32 + at as u32;
                visitors[at] = visit(target, poll.registry(), at as u32, number)?;
            }
        }
    }
    let sample = window.end(visits);
    for visitor in &visitors {
        visitor.stream.reset_on_drop();
    }
    sample
}

fn visit(target: &Target, registry: &Registry, at: u32, number: u32) -> io::Result<Visitor> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    bind(&socket, number)?;
    match socket.connect(&target.address.into()) {
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        other => other?,
    }
    let mut stream = target.stream(TcpStream::from_std(socket.into()))?;
    let both = Interest::READABLE | Interest::WRITABLE;
    registry.register(&mut stream.socket, Token(at as usize), both)?;
    Ok(Visitor {
        stream,
        step: Step::Connecting,
        read: Vec::new(),
    })
}

/// Advances a visit. Returns whether it is over.
fn step(visitor: &mut Visitor, request: &[u8], close: &[u8]) -> io::Result<bool> {
    if visitor.step == Step::Connecting {
        if let Some(error) = visitor.stream.socket.take_error()? {
            return Err(error);
        }
        match visitor.stream.write(request) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::NotConnected
                ) =>
            {
                return Ok(false);
            }
            other => drop(other?),
        }
        visitor.step = Step::Upgrading;
    }
    let mut buf = [0; 1024];
    let mut ended = false;
    while !ended {
        match visitor.stream.read(&mut buf) {
            Ok(0) => ended = true,
            Ok(read) => visitor.read.extend_from_slice(&buf[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // After both close frames, a reset also counts as the end, and so does TLS's without
            // an alert.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
                ) =>
            {
                ended = true;
            }
            Err(error) => return Err(error),
        }
    }
    if visitor.step == Step::Upgrading
        && let Some(end) = wire::head_end(&visitor.read)
    {
        if !wire::is_accepted(&visitor.read[..end]) {
            return Err(wire::invalid("the upgrade was refused"));
        }
        visitor.read.drain(..end);
        visitor.stream.write_all(close)?;
        visitor.step = Step::Closing;
    }
    if !ended {
        return Ok(false);
    }
    match wire::frame(&visitor.read)? {
        Some(frame) if frame.opcode == wire::CLOSE => Ok(true),
        _ => Err(wire::invalid("an end without a close frame")),
    }
}
