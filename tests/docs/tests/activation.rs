//! A socket that a supervisor holds, as `docs/operations.md` takes it over.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use crossws::Hooks;

struct Chat;

impl Hooks for Chat {}

// As in the guide: a test compares it.
use crossws::tokio::Server;

async fn run() -> std::io::Result<()> {
    let server = Server::builder(Chat);
    let server = match listenfd::ListenFd::from_env().take_tcp_listener(0)? {
        Some(listener) => {
            listener.set_nonblocking(true)?;
            server.listen(tokio::net::TcpListener::from_std(listener)?)?
        }
        None => server.bind("127.0.0.1:3000").await?,
    };
    server.run().await
}

#[test]
fn the_file_is_the_guides_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/operations.md")).unwrap();
    let this = include_str!("activation.rs");
    let (_, program) = this.split_once("a test compares it.\n").unwrap();
    let (program, _) = program.split_once("\n\n#[test]").unwrap();
    assert!(page.contains(program), "{program}");
}

/// The process that the supervisor starts: this test binary, asked for this alone.
#[tokio::test]
#[ignore = "started by the other test"]
async fn the_server() {
    run().await.unwrap();
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the server as systemd does: the socket is its descriptor 3, of which the environment tells.
/// The shell makes 3 of 0, which the standard library can pass, and becomes the server.
fn supervise(socket: &TcpListener) -> Killed {
    const BECOME: &str = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
    let socket = OwnedFd::from(socket.try_clone().unwrap());
    let server = Command::new("sh")
        .args(["-c", BECOME, "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "the_server", "--ignored"])
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .spawn();
    Killed(server.unwrap())
}

/// The first line of the answer to an upgrade.
fn upgrade(addr: SocketAddr) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    let soon = Some(Duration::from_secs(20));
    stream.set_read_timeout(soon).unwrap();
    stream
        .write_all(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let mut line = [0; 12];
    stream.read_exact(&mut line).unwrap();
    String::from_utf8_lossy(&line).into_owned()
}

#[test]
fn a_socket_of_the_supervisors_is_served() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    let first = supervise(&socket);
    assert_eq!(upgrade(addr), "HTTP/1.1 101");
    // The server is replaced. A client that comes in between waits in the socket's queue.
    drop(first);
    let waiting = std::thread::spawn(move || upgrade(addr));
    let _second = supervise(&socket);
    assert_eq!(waiting.join().unwrap(), "HTTP/1.1 101");
}
