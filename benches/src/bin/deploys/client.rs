//! A client that reads, answers pings, and counts.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Peers of one room.
const ROOM: usize = 20;

pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// What a client has seen.
pub(crate) struct End {
    pub(crate) messages: u64,
    pub(crate) close: Option<u16>,
    pub(crate) at: Instant,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, number: usize) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // One address has not enough ports.
        socket.bind(SocketAddr::from(([127, 0, 1, 1 + (number % 16) as u8], 0)))?;
        let mut stream = socket.connect(address).await?;
        let head = format!(
            "GET /rooms/{} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            number / ROOM
        );
        stream.write_all(head.as_bytes()).await?;
        let mut unread = Vec::new();
        loop {
            if stream.read_buf(&mut unread).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(end) = unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                unread.drain(..end + 4);
                return Ok(Self { stream, unread });
            }
        }
    }

    /// Reads to the end.
    pub(crate) async fn run(mut self) -> End {
        let mut end = End {
            messages: 0,
            close: None,
            at: Instant::now(),
        };
        loop {
            while let Some((opcode, head, len)) = frame(&self.unread) {
                let payload: Vec<u8> = self.unread[head..head + len].to_vec();
                self.unread.drain(..head + len);
                match opcode {
                    0x8 => {
                        end.close = payload
                            .get(..2)
                            .map(|code| u16::from_be_bytes([code[0], code[1]]));
                        end.at = Instant::now();
                        let _ = self.answer(0x8, &payload[..2.min(len)]).await;
                    }
                    0x9 => {
                        let _ = self.answer(0xa, &payload).await;
                    }
                    _ => end.messages += 1,
                }
            }
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) | Err(_) => return end,
                Ok(_) => {}
            }
        }
    }

    /// Sends a short frame, its mask zero.
    async fn answer(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let head = [0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        self.stream.write_all(&[&head, payload].concat()).await
    }
}

/// The first frame's opcode, and the lengths of its head and its payload, when all of it is here.
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (head, len) = match *bytes.get(1)? {
        126 => (
            4,
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        ),
        len => (2, usize::from(len)),
    };
    (bytes.len() >= head + len).then_some((bytes[0] & 0xf, head, len))
}
