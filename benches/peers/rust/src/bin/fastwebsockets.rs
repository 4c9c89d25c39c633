//! fastwebsockets, as in its examples. The writing half of a chat goes through a buffer.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use crossws_bench_peers::{App, Rooms, address, app};
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError,
};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::BufWriter;
use tokio::net::TcpListener;

type Message = (OpCode, Bytes);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = address("fastwebsockets 0.10.0");
    let listener = TcpListener::bind(&address).await?;
    println!("http://{address}");
    let rooms = Rooms::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let rooms = rooms.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| serve(request, rooms.clone()));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let _ = connection.with_upgrades().await;
        });
    }
}

async fn serve(
    mut request: Request<Incoming>,
    rooms: Rooms<Message>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let app = app(request.uri().path());
    let Ok((response, socket)) = upgrade(&mut request) else {
        let mut response = Response::new(Empty::new());
        *response.status_mut() = hyper::StatusCode::NOT_FOUND;
        return Ok(response);
    };
    tokio::spawn(tokio::task::unconstrained(async move {
        let _ = match app {
            App::Echo => echo(socket).await,
            App::Room(name) => chat(socket, &rooms, name).await,
        };
    }));
    Ok(response)
}

async fn echo(socket: UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(socket.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn chat(
    socket: UpgradeFut,
    rooms: &Rooms<Message>,
    name: String,
) -> Result<(), WebSocketError> {
    let (member, mut inbox) = rooms.join(name);
    let mut socket = socket.await?;
    socket
        .write_frame(Frame::text(Payload::Borrowed(b"ready")))
        .await?;
    let (read, mut write) = socket.split(|stream| {
        let (read, write) = tokio::io::split(stream);
        (read, BufWriter::with_capacity(64 << 10, write))
    });
    let writer = tokio::spawn(async move {
        let mut queued = Vec::new();
        while inbox.recv_many(&mut queued, 1024).await > 0 {
            for (opcode, bytes) in queued.drain(..) {
                write
                    .write_frame(Frame::new(true, opcode, None, Payload::Borrowed(&bytes)))
                    .await?;
            }
            write.flush().await?;
        }
        Ok::<_, WebSocketError>(())
    });
    let mut read = FragmentCollectorRead::new(read);
    let mut nothing = async |_: Frame<'_>| Ok::<_, WebSocketError>(());
    let ended = loop {
        let frame = match read.read_frame(&mut nothing).await {
            Ok(frame) => frame,
            Err(error) => break Err(error),
        };
        match frame.opcode {
            OpCode::Close => break Ok(()),
            OpCode::Text | OpCode::Binary => {
                let payload = Bytes::copy_from_slice(&frame.payload);
                member.publish(&(frame.opcode, payload));
            }
            _ => {}
        }
    };
    writer.abort();
    ended
}
