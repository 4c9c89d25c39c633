//! The floor of an echo: bytes go back unchanged, without a handshake or a frame. One epoll loop,
//! with one read and one write for everything that has arrived.

use std::io::{self, ErrorKind, Read, Write};

use crossws_bench::app;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

struct Conn {
    stream: TcpStream,
    /// Read but not yet written.
    owed: Vec<u8>,
}

fn main() -> io::Result<()> {
    let address = app::address().parse().map_err(io::Error::other)?;
    let mut listener = TcpListener::bind(address)?;
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("http://{address}");

    let mut conns: Vec<Option<Conn>> = Vec::new();
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
                    let both = Interest::READABLE | Interest::WRITABLE;
                    let token = Token(conns.len());
                    poll.registry().register(&mut stream, token, both)?;
                    let owed = Vec::new();
                    conns.push(Some(Conn { stream, owed }));
                }
            } else if let Some(place) = conns.get_mut(event.token().0)
                && let Some(conn) = place
                && turn(conn, &mut scratch).is_err()
            {
                *place = None;
            }
        }
    }
}

/// Reads and writes until either would block. An error ends the connection.
fn turn(conn: &mut Conn, scratch: &mut [u8]) -> io::Result<()> {
    loop {
        while !conn.owed.is_empty() {
            match conn.stream.write(&conn.owed) {
                Ok(n) => drop(conn.owed.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let read = match conn.stream.read(scratch) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let written = match conn.stream.write(&scratch[..read]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            other => other?,
        };
        conn.owed.extend_from_slice(&scratch[written..read]);
        // A short read took everything; the next edge reports more.
        if conn.owed.is_empty() && read < scratch.len() {
            return Ok(());
        }
    }
}
