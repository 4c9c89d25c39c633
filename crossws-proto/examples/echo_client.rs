//! An echo client made of this crate's parts, on a blocking socket. It runs all cases of a fuzzing
//! server of Autobahn|Testsuite.
//!
//!     AUTOBAHN_URL=ws://127.0.0.1:9001 AUTOBAHN_AGENT=echo_client \
//!       cargo run --release -p crossws-proto --example echo_client

use std::env;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use crossws_core::{CloseFrame, Deflate, Limits, Message};
use crossws_proto::deflate::Deflater;
use crossws_proto::engine::{Decoder, Event, Opcode, Role, put_masked_close, put_masked_frame};
use crossws_proto::handshake::ClientHandshake;
use http::response::Parts;
use http::{Response, Uri, Version};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The size of a read, and of what is gathered before a write.
const CHUNK: usize = 64 << 10;

/// The longest head of a response.
const MAX_HEAD: usize = 16 << 10;

/// How long the server may take to end the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits of the echo example's compliance profile: the suite's largest message has 16 MiB, and
/// 65,536 fragments.
fn limits() -> Limits {
    Limits::default()
        .max_message_size(16 << 20)
        .max_fragments(128 << 10)
}

/// Compression with everything that the two sides can agree on, for messages of any length.
fn deflate() -> Deflate {
    Deflate::default()
        .server_no_context_takeover(false)
        .client_no_context_takeover(false)
        .threshold(1_usize)
}

struct Connection {
    stream: TcpStream,
    decoder: Decoder,
    deflater: Option<Deflater>,
    /// Bytes that arrived in the same read as the response's head.
    early: Vec<u8>,
    /// Bytes that wait to be written.
    out: BytesMut,
}

impl Connection {
    fn open(url: &str) -> Outcome<Self> {
        let uri: Uri = url.parse()?;
        let host = uri.authority().ok_or("the URL has no host")?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let mut stream = TcpStream::connect((host.host(), host.port_u16().unwrap_or(80)))?;
        stream.set_nodelay(true)?;
        let handshake = ClientHandshake::new(Some(&deflate()))?;
        let mut head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n").into_bytes();
        for (name, value) in &handshake.headers() {
            let line: [&[u8]; 4] = [name.as_ref(), b": ", value.as_bytes(), b"\r\n"];
            head.extend(line.concat());
        }
        head.extend(b"\r\n");
        stream.write_all(&head)?;
        let (answer, early) = read_answer(&mut stream)?;
        let agreed = handshake.check(&answer)?;
        Ok(Self {
            stream,
            deflater: agreed.deflate().map(Deflater::new),
            decoder: agreed.into_decoder(Role::Client, &limits()),
            early,
            out: BytesMut::new(),
        })
    }

    /// Passes every message to `message` and handles pings and the closing handshake, until the
    /// connection ends.
    fn run(mut self, mut message: impl FnMut(&mut Self, Message) -> Outcome) -> Outcome {
        let mut early = mem::take(&mut self.early);
        let mut open = self.decode(&mut early, &mut message)?;
        let mut chunk = vec![0; CHUNK];
        while open {
            self.flush()?;
            let count = match self.stream.read(&mut chunk)? {
                0 => return Err("the server left without a close frame".into()),
                count => count,
            };
            let bytes = chunk.get_mut(..count).unwrap_or_default();
            open = self.decode(bytes, &mut message)?;
        }
        self.flush()?;
        self.await_end(&mut chunk)
    }

    /// Returns whether to read on. If not, a close frame was the last frame encoded.
    fn decode(
        &mut self,
        mut input: &mut [u8],
        message: &mut impl FnMut(&mut Self, Message) -> Outcome,
    ) -> Outcome<bool> {
        loop {
            match self.decoder.decode(&mut input) {
                Ok(Some(Event::Message(received))) => message(self, received)?,
                Ok(Some(Event::Ping(data))) => {
                    put_masked_frame(&mut self.out, Opcode::Pong, &data)?;
                }
                Ok(Some(Event::Close(frame))) => {
                    put_masked_close(&mut self.out, frame.as_ref())?;
                    return Ok(false);
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(true),
                Err(violation) => {
                    let frame = CloseFrame::new(violation.code(), violation.reason());
                    put_masked_close(&mut self.out, Some(&frame))?;
                    return Ok(false);
                }
            }
        }
    }

    fn send(&mut self, message: &Message) -> Outcome {
        let (opcode, payload) = (Opcode::from(message), message.as_bytes());
        let compressed = match &mut self.deflater {
            Some(deflater) => deflater.put_masked_frame(opcode, payload, &mut self.out)?,
            None => false,
        };
        if !compressed {
            put_masked_frame(&mut self.out, opcode, payload)?;
        }
        if self.out.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.stream.write_all(&self.out);
        self.out.clear();
        written
    }

    /// Waits for the server to end the connection, which it must do first (RFC 6455 section 7.1.1).
    /// Discards what still arrives.
    fn await_end(mut self, chunk: &mut [u8]) -> Outcome {
        let from = Instant::now();
        while let Some(left) = CLOSE_TIMEOUT.checked_sub(from.elapsed())
            && !left.is_zero()
        {
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(chunk) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
                Err(_) => break,
            }
        }
        self.stream.shutdown(Shutdown::Both)?;
        Err("the server did not end the connection".into())
    }
}

/// Reads a response's head. Returns it with the bytes that followed it.
fn read_answer(stream: &mut TcpStream) -> Outcome<(Parts, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 2048];
    while bytes.len() <= MAX_HEAD {
        let count = match stream.read(&mut chunk)? {
            0 => return Err("the server left without a response".into()),
            count => count,
        };
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut parsed = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(end) = parsed.parse(&bytes)? else {
            continue;
        };
        let mut answer = Response::builder()
            .status(parsed.code.unwrap_or_default())
            .version(match parsed.version {
                Some(1) => Version::HTTP_11,
                _ => Version::HTTP_10,
            });
        for header in parsed.headers {
            answer = answer.header(header.name, header.value);
        }
        let (parts, ()) = answer.body(())?.into_parts();
        return Ok((parts, bytes.split_off(end)));
    }
    Err("the response's head is too long".into())
}

fn main() -> Outcome {
    let (url, agent) = (env::var("AUTOBAHN_URL")?, env::var("AUTOBAHN_AGENT")?);
    let mut count = 0;
    Connection::open(&format!("{url}/getCaseCount"))?.run(|_, message| {
        count = message.text()?.parse()?;
        Ok(())
    })?;
    for case in 1..=count {
        let echo = Connection::open(&format!("{url}/runCase?case={case}&agent={agent}"))
            .and_then(|case| case.run(|connection, message| connection.send(&message)));
        // The server's report says whether the failure is correct behaviour.
        if let Err(error) = echo {
            eprintln!("case {case} of {count}: {error}");
        }
    }
    Connection::open(&format!("{url}/updateReports?agent={agent}"))?.run(|_, _| Ok(()))
}
