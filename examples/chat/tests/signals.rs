//! The chat's server as a supervisor stops it: with SIGTERM.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// A running chat server, which is killed with the test.
struct Chat {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    authority: String,
}

impl Chat {
    fn start(binary: &str) -> Self {
        let mut process = Command::new(binary)
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = output.next().unwrap().unwrap();
        let authority = url.strip_prefix("http://").unwrap().to_owned();
        Self {
            process,
            output,
            authority,
        }
    }

    /// Returns a client that has been upgraded and has read its welcome.
    fn connect(&self) -> TcpStream {
        let mut client = TcpStream::connect(&self.authority).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let authority = &self.authority;
        write!(
            client,
            "GET /rooms/lobby?name=Ada HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .unwrap();
        read_until(&mut client, b"\r\n\r\n");
        assert_eq!(read_frame(&mut client).0, 0x81);
        client
    }

    fn terminate(&self) {
        let id = Pid::from_child(&self.process);
        kill_process(id, Signal::TERM).unwrap();
    }

    fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read_until(client: &mut TcpStream, end: &[u8]) {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
}

/// Returns the first byte of a frame with at most 65,535 bytes, and its payload.
fn read_frame(client: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    client.read_exact(&mut head).unwrap();
    let len = match head[1] {
        126 => {
            let mut len = [0; 2];
            client.read_exact(&mut len).unwrap();
            usize::from(u16::from_be_bytes(len))
        }
        len => usize::from(len),
    };
    let mut payload = vec![0; len];
    client.read_exact(&mut payload).unwrap();
    (head[0], payload)
}

/// Reads the close frame that a stopping server sends.
fn read_restart(client: &mut TcpStream) {
    let (head, payload) = read_frame(client);
    assert_eq!(head, 0x88);
    assert_eq!(&payload[..2], 1012_u16.to_be_bytes());
}

fn the_first_signal_closes_the_peers_and_the_process_ends_with_0(binary: &str) {
    let mut chat = Chat::start(binary);
    let mut client = chat.connect();
    chat.terminate();
    read_restart(&mut client);
    // Replies with the same code, masked with zeros.
    let [high, low] = 1012_u16.to_be_bytes();
    client
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, high, low])
        .unwrap();
    let report = chat.output.next().unwrap().unwrap();
    assert_eq!(report, "1 closed: 1 flushed, 0 dropped, 0 forced");
    assert_eq!(chat.wait().code(), Some(0));
}

fn the_second_signal_ends_the_process_at_once(binary: &str) {
    let mut chat = Chat::start(binary);
    let mut client = chat.connect();
    chat.terminate();
    // The client does not reply, so that the server waits.
    read_restart(&mut client);
    chat.terminate();
    assert_eq!(chat.wait().signal(), Some(Signal::TERM.as_raw()));
}

macro_rules! on {
    ($($runtime:ident: $binary:literal, $feature:meta;)*) => {$(
        #[cfg($feature)]
        mod $runtime {
            const BINARY: &str = env!($binary);

            #[test]
            fn the_first_signal_closes_the_peers_and_the_process_ends_with_0() {
                super::the_first_signal_closes_the_peers_and_the_process_ends_with_0(BINARY);
            }

            #[test]
            fn the_second_signal_ends_the_process_at_once() {
                super::the_second_signal_ends_the_process_at_once(BINARY);
            }
        }
    )*};
}

on! {
    tokio: "CARGO_BIN_EXE_chat", all();
    smol: "CARGO_BIN_EXE_chat_smol", feature = "smol";
    async_std: "CARGO_BIN_EXE_chat_async_std", feature = "async-std";
}
