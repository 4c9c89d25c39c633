//! A client that reads, answers pings, and counts messages.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

use crossws_bench::wire;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Peers per room.
const ROOM: usize = 20;

pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// What a client has observed when its connection ended.
pub(crate) struct End {
    pub(crate) messages: u64,
    pub(crate) close: Option<u16>,
    pub(crate) at: Instant,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, number: usize) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // One address does not have enough ports.
        socket.bind(SocketAddr::from(([127, 0, 1, 1 + (number % 16) as u8], 0)))?;
        let mut stream = socket.connect(address).await?;
        let path = format!("/rooms/{}", number / ROOM);
        let head = wire::request(&path, &address.to_string());
        stream.write_all(head.as_bytes()).await?;
        let mut unread = Vec::new();
        loop {
            if stream.read_buf(&mut unread).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(end) = wire::head_end(&unread) {
                if !wire::is_accepted(&unread[..end]) {
                    return Err(wire::invalid("the upgrade was refused"));
                }
                unread.drain(..end);
                return Ok(Self { stream, unread });
            }
        }
    }

    /// Reads until the connection ends.
    pub(crate) async fn run(mut self) -> End {
        let mut end = End {
            messages: 0,
            close: None,
            at: Instant::now(),
        };
        loop {
            while let Ok(Some(frame)) = wire::frame(&self.unread) {
                let payload = self.unread[frame.payload.clone()].to_vec();
                self.unread.drain(..frame.payload.end);
                match frame.opcode {
                    wire::CLOSE => {
                        let code = payload.first_chunk().copied();
                        end.close = code.map(u16::from_be_bytes);
                        end.at = Instant::now();
                        let _ = self
                            .answer(wire::CLOSE, &payload[..payload.len().min(2)])
                            .await;
                    }
                    wire::PING => {
                        let _ = self.answer(wire::PONG, &payload).await;
                    }
                    _ => end.messages += 1,
                }
            }
            if wire::frame(&self.unread).is_err() {
                return end;
            }
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) | Err(_) => return end,
                Ok(_) => {}
            }
        }
    }

    async fn answer(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::new();
        wire::put_frame(&mut frame, opcode, payload, Some([0; 4]));
        self.stream.write_all(&frame).await
    }
}
