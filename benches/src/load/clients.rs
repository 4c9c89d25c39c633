use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crossws_bench::wire;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::stream::Stream;
use crate::process::Process;

/// A server that sends nothing for this long has lost a message.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The key of every frame. The server's work does not depend on its value.
pub(crate) const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// How a server receives its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// As WebSocket frames.
    WebSocket,
    /// The same over TLS.
    Tls,
    /// As WebSocket frames in streams of HTTP/2.
    Http2,
    /// As bytes, which the server echoes: no handshake, and the frames are sent in the form in
    /// which they must come back.
    Bytes,
}

/// The server that clients connect to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) framing: Framing,
    pub(crate) process: Process,
}

impl Target {
    /// Returns the key that masks the clients' frames, or `None` if they are unmasked.
    pub(crate) fn mask(&self) -> Option<[u8; 4]> {
        (self.framing != Framing::Bytes).then_some(MASK)
    }

    /// Wraps a client's socket.
    pub(crate) fn stream(&self, socket: TcpStream) -> io::Result<Stream> {
        match self.framing {
            Framing::Tls => Stream::encrypted(socket),
            _ => Ok(Stream::plain(socket)),
        }
    }
}

/// One client.
struct Client {
    stream: Stream,
    /// The beginning of an incomplete frame.
    rest: Vec<u8>,
    /// Bytes to send, from `sent` on.
    out: Vec<u8>,
    sent: usize,
}

/// Connected clients.
pub(crate) struct Clients {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    scratch: Vec<u8>,
}

/// Whether [`Clients::drive`] continues.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Continue,
    Done,
}

impl Clients {
    /// Connects and upgrades `count` clients. `path` returns the path of each.
    pub(crate) fn connect(
        target: &Target,
        count: u32,
        path: impl Fn(u32) -> String,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut clients = Vec::with_capacity(count as usize);
        for number in 0..count {
            let (mut stream, rest) = open(target, number, &path(number))?;
            let both = Interest::READABLE | Interest::WRITABLE;
            let token = Token(number as usize);
            poll.registry().register(&mut stream.socket, token, both)?;
            clients.push(Client {
                stream,
                rest,
                out: Vec::new(),
                sent: 0,
            });
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            clients,
            scratch: vec![0; 1 << 20],
        })
    }

    /// Waits until the server has greeted every client, which it does after it has subscribed the
    /// client.
    pub(crate) fn greeted(mut self) -> io::Result<Self> {
        let mut missing = self.clients.len();
        if missing == 0 {
            return Ok(self);
        }
        self.drive(|_, opcode, payload, _| {
            if (opcode, payload) != (wire::TEXT, b"ready") {
                return Err(wire::invalid("something else than the greeting"));
            }
            missing -= 1;
            Ok(if missing == 0 {
                Then::Done
            } else {
                Then::Continue
            })
        })?;
        Ok(self)
    }

    /// Sends what `fill` appends.
    pub(crate) fn send(&mut self, client: u32, fill: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let client = &mut self.clients[client as usize];
        fill(&mut client.out);
        flush(client)
    }

    /// Passes every incoming message to `on`, with its client's number and a buffer for that
    /// client's next bytes, until `on` returns that it is done.
    pub(crate) fn drive<F>(&mut self, mut on: F) -> io::Result<()>
    where
        F: FnMut(u32, u8, &[u8], &mut Vec<u8>) -> io::Result<Then>,
    {
        let mut then = Then::Continue;
        // Bytes that arrived together with the 101 cause no event.
        for (number, client) in self.clients.iter_mut().enumerate() {
            if !client.rest.is_empty() {
                let mut bytes = std::mem::take(&mut client.rest);
                let used = handle(client, number as u32, &mut bytes, &mut on, &mut then)?;
                bytes.drain(..used);
                client.rest = bytes;
                flush(client)?;
            }
        }
        while then == Then::Continue {
            if !self.turn(PATIENCE, &mut on, &mut then)? {
                return Err(io::Error::new(ErrorKind::TimedOut, "messages were lost"));
            }
        }
        Ok(())
    }

    /// Does the same for messages that have already arrived.
    pub(crate) fn glance<F>(&mut self, mut on: F) -> io::Result<()>
    where
        F: FnMut(u32, u8, &[u8], &mut Vec<u8>) -> io::Result<Then>,
    {
        let mut then = Then::Continue;
        self.turn(Duration::ZERO, &mut on, &mut then).map(drop)
    }

    /// Waits for events once. Returns whether there were any.
    fn turn<F>(&mut self, wait: Duration, on: &mut F, then: &mut Then) -> io::Result<bool>
    where
        F: FnMut(u32, u8, &[u8], &mut Vec<u8>) -> io::Result<Then>,
    {
        loop {
            match self.poll.poll(&mut self.events, Some(wait)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        }
        for event in &self.events {
            let number = event.token().0;
            let client = &mut self.clients[number];
            if event.is_writable() {
                flush(client)?;
            }
            if event.is_readable() {
                read(client, number as u32, &mut self.scratch, on, then)?;
            }
        }
        Ok(!self.events.is_empty())
    }
}

impl Drop for Clients {
    /// Resets the connections. Otherwise their ports would stay occupied for a minute.
    fn drop(&mut self) {
        for client in &self.clients {
            client.stream.reset_on_drop();
        }
    }
}

/// Opens and upgrades a connection. Returns it with the bytes that followed the 101.
fn open(target: &Target, number: u32, path: &str) -> io::Result<(Stream, Vec<u8>)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    bind(&socket, number)?;
    socket.connect(&target.address.into())?;
    socket.set_tcp_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    // It blocks until the upgrade is complete.
    let mut stream = target.stream(TcpStream::from_std(socket.into()))?;
    let mut head = Vec::new();
    if target.framing != Framing::Bytes {
        stream.write_all(wire::request(path, &target.address.to_string()).as_bytes())?;
        let mut buf = [0; 1024];
        let end = loop {
            let read = stream.read(&mut buf)?;
            head.extend_from_slice(&buf[..read]);
            match wire::head_end(&head) {
                Some(end) => break end,
                None if read == 0 => return Err(wire::invalid("no answer to the upgrade")),
                None => {}
            }
        };
        if !wire::is_accepted(&head[..end]) {
            let head = head.escape_ascii();
            return Err(wire::invalid(format!("the upgrade was refused: {head}")));
        }
        head.drain(..end);
    }
    socket2::SockRef::from(&stream.socket).set_nonblocking(true)?;
    Ok((stream, head))
}

/// Binds to source addresses in turn: one address has some 28,000 ports.
pub(crate) fn bind(socket: &Socket, number: u32) -> io::Result<()> {
    let source = SocketAddr::from(([127, 0, 1, 1 + (number % 16) as u8], 0));
    socket.bind(&source.into())
}

fn read<F>(
    client: &mut Client,
    number: u32,
    scratch: &mut [u8],
    on: &mut F,
    then: &mut Then,
) -> io::Result<()>
where
    F: FnMut(u32, u8, &[u8], &mut Vec<u8>) -> io::Result<Then>,
{
    loop {
        let kept = client.rest.len();
        scratch[..kept].copy_from_slice(&client.rest);
        let read = match client.stream.read(&mut scratch[kept..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let all = kept + read;
        let used = handle(client, number, &mut scratch[..all], on, then)?;
        client.rest.clear();
        client.rest.extend_from_slice(&scratch[used..all]);
        flush(client)?;
        // A short read took everything; the next edge reports more.
        if all < scratch.len() && client.stream.reads_all() {
            return Ok(());
        }
    }
}

/// Handles the whole frames in `bytes`. Returns their length.
fn handle<F>(
    client: &mut Client,
    number: u32,
    bytes: &mut [u8],
    on: &mut F,
    then: &mut Then,
) -> io::Result<usize>
where
    F: FnMut(u32, u8, &[u8], &mut Vec<u8>) -> io::Result<Then>,
{
    let mut used = 0;
    while let Some(frame) = wire::frame(&bytes[used..])? {
        if frame.mask.is_some() {
            return Err(wire::invalid("a server that masks"));
        }
        let payload = &bytes[used + frame.payload.start..used + frame.payload.end];
        match frame.opcode {
            wire::TEXT | wire::BINARY => {
                if on(number, frame.opcode, payload, &mut client.out)? == Then::Done {
                    *then = Then::Done;
                }
            }
            wire::PING => wire::put_frame(&mut client.out, wire::PONG, payload, Some(MASK)),
            wire::PONG => {}
            _ => {
                let payload = payload.escape_ascii();
                return Err(wire::invalid(format!("the server closed: {payload}")));
            }
        }
        used += frame.payload.end;
    }
    Ok(used)
}

fn flush(client: &mut Client) -> io::Result<()> {
    while client.sent < client.out.len() {
        match client.stream.write(&client.out[client.sent..]) {
            Ok(n) => client.sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    client.out.clear();
    client.sent = 0;
    client.stream.flush()
}
