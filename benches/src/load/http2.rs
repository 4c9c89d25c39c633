//! WebSockets over HTTP/2: each is a stream of a connection, opened by an extended CONNECT
//! (RFC 8441).

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossws_bench::wire;
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Request, StatusCode};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, yield_now};

use super::Sample;
use super::clients::{PATIENCE, Target};
use super::deck::Deck;
use super::window::Window;

/// The clients' windows: more than all of a burst.
const WINDOW: u32 = 1 << 24;

/// As [`rounds::echo`](super::rounds::echo), with `count` streams on `connections` connections.
pub(crate) fn echo(
    target: &Target,
    time: Duration,
    connections: u32,
    count: u32,
    depth: u32,
    size: usize,
) -> io::Result<Sample> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let mut opened = Vec::new();
        for _ in 0..connections {
            opened.push(connect(target).await?);
        }
        let mut streams = Vec::new();
        for who in 0..count {
            let connection = &opened[(who % connections) as usize];
            streams.push(upgrade(target, connection.clone()).await?);
        }
        let echoes = Rc::new(RefCell::new(Echoes {
            window: Window::new(target.process, time),
            echoed: 0,
            over: false,
        }));
        let clients: Vec<_> = (0..)
            .zip(streams)
            .map(|(who, stream)| {
                let client = Client {
                    who,
                    depth,
                    deck: Deck::new(size, false),
                    mask: target.mask(),
                    echoes: Rc::clone(&echoes),
                };
                tokio::task::spawn_local(client.run(stream))
            })
            .collect();
        for client in clients {
            let ran = tokio::time::timeout(PATIENCE + time, client).await;
            ran.map_err(io::Error::other)?.map_err(io::Error::other)??;
        }
        let echoes = Rc::into_inner(echoes).ok_or_else(|| io::Error::other("a client runs"))?;
        let Echoes { window, echoed, .. } = echoes.into_inner();
        window.end(echoed)
    })
}

async fn connect(target: &Target) -> io::Result<SendRequest<Bytes>> {
    let socket = TcpStream::connect(target.address).await?;
    socket.set_nodelay(true)?;
    let (send, connection) = h2::client::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake(socket)
        .await
        .map_err(io::Error::other)?;
    tokio::task::spawn_local(async move {
        // The clients notice a connection that fails.
        let _ = connection.await;
    });
    while !send.is_extended_connect_protocol_enabled() {
        yield_now().await;
    }
    Ok(send)
}

async fn upgrade(
    target: &Target,
    connection: SendRequest<Bytes>,
) -> io::Result<(SendStream<Bytes>, RecvStream)> {
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://{}/echo", target.address))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(())
        .map_err(io::Error::other)?;
    let mut connection = connection.ready().await.map_err(io::Error::other)?;
    let (response, send) = connection
        .send_request(request, false)
        .map_err(io::Error::other)?;
    let response = response.await.map_err(io::Error::other)?;
    match response.status() {
        StatusCode::OK => Ok((send, response.into_body())),
        status => Err(wire::invalid(format!("the upgrade was refused: {status}"))),
    }
}

/// What all clients share.
struct Echoes {
    window: Window,
    echoed: u64,
    over: bool,
}

struct Client {
    who: u32,
    depth: u32,
    deck: Deck,
    mask: Option<[u8; 4]>,
    echoes: Rc<RefCell<Echoes>>,
}

impl Client {
    /// Sends bursts, each after the whole one before has come back.
    async fn run(self, (mut send, mut receive): (SendStream<Bytes>, RecvStream)) -> io::Result<()> {
        let mut rest = BytesMut::new();
        let mut next = 0;
        loop {
            let mut out = Vec::new();
            for number in next..next + self.depth {
                self.deck.put(&mut out, self.who, number, self.mask);
            }
            send.send_data(out.into(), false)
                .map_err(io::Error::other)?;
            let last = next + self.depth;
            while next < last {
                let data = receive.data().await;
                let data = data.ok_or(io::ErrorKind::UnexpectedEof)?;
                let data = data.map_err(io::Error::other)?;
                let flow = receive.flow_control();
                flow.release_capacity(data.len())
                    .map_err(io::Error::other)?;
                rest.extend_from_slice(&data);
                while let Some(frame) = wire::frame(&rest)? {
                    let message = rest.split_to(frame.payload.end);
                    let payload = &message[frame.payload];
                    self.deck.check(frame.opcode, payload, self.who, next)?;
                    next += 1;
                }
            }
            let mut echoes = self.echoes.borrow_mut();
            echoes.echoed += u64::from(self.depth);
            let echoed = echoes.echoed;
            if self.who == 0 && echoes.window.is_over(echoed)? {
                echoes.over = true;
            }
            if echoes.over {
                return Ok(());
            }
        }
    }
}
