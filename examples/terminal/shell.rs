//! A program on a pseudo-terminal, and a loop that connects it with a client.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::Duration;

use async_io::{Async, Timer};
use crossws::{BoxError, Hooks, IncomingExt, Json, handler};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use pty_process::Size;
use pty_process::blocking::{Command, open};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum FromClient {
    Data { data: String },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ToClient {
    Data { data: String },
    Exit { code: i32 },
}

/// A terminal for each connection, with this program on it. The program dies with the connection, and what
/// it has started is hung up on.
pub(crate) fn terminal(program: &'static str) -> impl Hooks {
    handler(move |peer, incoming| async move {
        /// The client is not shown more before it has taken what it was.
        const AHEAD: usize = 64 * 1024;

        let mut shell = Shell::spawn(program)?;
        let session = async {
            let typed = async {
                let mut inputs = incoming.json();
                while let Some(FromClient::Data { data }) = inputs.next().await {
                    (&shell.terminal).write_all(data.as_bytes()).await?;
                }
                Ok::<_, BoxError>(false)
            };
            let shown = async {
                let mut output = shell.output();
                while let Some(data) = output.next().await? {
                    peer.send(Json(ToClient::Data { data }))?;
                    peer.drained(AHEAD).await;
                }
                Ok(true)
            };
            if future::or(typed, shown).await? {
                let code = shell.exit_code().await?;
                peer.send(Json(ToClient::Exit { code }))?;
            }
            Ok(())
        };
        // A program that takes no input, or that runs on without its terminal, must not keep it.
        let gone = async {
            peer.closed().await;
            Ok(())
        };
        future::or(session, gone).await
    })
}

/// A program on a terminal of its own, which dies when this is dropped.
struct Shell {
    terminal: Async<File>,
    child: Child,
}

impl Shell {
    fn spawn(program: &str) -> io::Result<Self> {
        let (pty, terminal) = open().map_err(io::Error::other)?;
        pty.resize(Size::new(24, 80)).map_err(io::Error::other)?;
        let child = Command::new(program)
            .spawn(terminal)
            .map_err(io::Error::other)?;
        let terminal = Async::new(File::from(OwnedFd::from(pty)))?;
        Ok(Self { terminal, child })
    }

    fn output(&self) -> Output<'_> {
        Output {
            terminal: &self.terminal,
            part: Vec::new(),
        }
    }

    /// How the program ended. It has let its terminal go, so that its end is near.
    async fn exit_code(&mut self) -> io::Result<i32> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                let by_signal = || status.signal().map_or(0, |signal| 128 + signal);
                return Ok(status.code().unwrap_or_else(by_signal));
            }
            Timer::after(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Fails when it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program shows, as text.
struct Output<'a> {
    terminal: &'a Async<File>,
    /// The beginning of a character whose end has not come.
    part: Vec<u8>,
}

impl Output<'_> {
    /// What is shown next; `None` at the end.
    async fn next(&mut self) -> io::Result<Option<String>> {
        /// How Linux says that no program has the terminal any more.
        const EIO: i32 = 5;

        let mut buffer = [0; 4096];
        loop {
            let len = match self.terminal.read(&mut buffer).await {
                Err(error) if error.raw_os_error() == Some(EIO) => 0,
                read => read?,
            };
            if len == 0 {
                return Ok(None);
            }
            self.part.extend_from_slice(&buffer[..len]);
            let whole = match std::str::from_utf8(&self.part) {
                // A character that may go on; what is no text at all is shown as such.
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                _ => self.part.len(),
            };
            if whole > 0 {
                let rest = self.part.split_off(whole);
                let shown = std::mem::replace(&mut self.part, rest);
                return Ok(Some(String::from_utf8_lossy(&shown).into_owned()));
            }
        }
    }
}
