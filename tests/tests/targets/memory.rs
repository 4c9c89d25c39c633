//! The memory adapter as a target: virtual time, and clients without sockets.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, dead_code)]

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossws_conformance::net::take_frame;
use crossws_conformance::{
    App, Client, Connected, Control, Event, Frame, Framed, Fut, Gone, Journal, Profile, Raw, Reply,
    Report, Server, Shutdown, Target,
};
use crossws_core::{Body, BoxFuture, Capabilities, CloseCode, CloseFrame, Message};
use crossws_memory::TestServer;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};

/// The memory adapter.
pub struct Memory;

impl Target for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        crossws_memory::CAPABILITIES
    }

    fn start(&self, profile: Profile) -> Fut<'_, Box<dyn Server>> {
        let journal = Arc::new(Journal::default());
        let builder = TestServer::builder(App::new(&journal))
            .hub(profile.hub())
            .http(Service);
        let server = match seed() {
            Some(seed) => builder.seed(seed).build(),
            None => builder.build(),
        };
        Box::pin(async { Box::new(MemoryServer { server, journal }) as Box<dyn Server> })
    }
}

struct MemoryServer {
    server: TestServer,
    journal: Arc<Journal>,
}

impl MemoryServer {
    /// Runs the server while `future` waits for it, because nothing runs by itself.
    async fn driving<T>(&self, future: impl Future<Output = T>) -> T {
        // A sleep that outlives every test keeps the server running.
        const FOR_EVER: Duration = Duration::from_secs(1 << 40);
        let mut server = std::pin::pin!(self.server.sleep(FOR_EVER));
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            let _ = server.as_mut().poll(cx);
            future.as_mut().poll(cx)
        })
        .await
    }
}

impl Server for MemoryServer {
    fn connect(&self, request: Request<()>) -> Fut<'_, Result<Connected, Option<Response<Bytes>>>> {
        Box::pin(async move {
            match self.server.connect_with(request).await {
                Ok(connected) => Ok(client(connected)),
                Err(refusal) => Err(Some(refusal.into_response())),
            }
        })
    }

    fn control(&self, control: Control) -> Fut<'_, Reply> {
        let applied = control.apply(self.server.hub(), &self.journal);
        Box::pin(self.driving(applied))
    }

    fn http(&self, request: Request<Bytes>) -> Fut<'_, Response<Bytes>> {
        Box::pin(async move { App::http(&request) })
    }

    fn frames(&self, target: String, offers: String) -> Fut<'_, Result<Framed, u16>> {
        Box::pin(async move {
            let connect = self.server.connect(&target).raw();
            let connect = match offers.as_str() {
                "" => connect,
                offers => connect.header("sec-websocket-extensions", offers),
            };
            let client = connect.await.map_err(|refusal| refusal.status().as_u16())?;
            let headers = client.response().headers().clone();
            let read = Vec::new();
            let closing = false;
            let raw = Box::new(MemoryRaw {
                client,
                read,
                closing,
            });
            Ok(Framed::new(raw, &headers))
        })
    }

    fn advance(&self, time: Duration) -> Fut<'_, ()> {
        Box::pin(self.server.advance(time))
    }

    fn shutdown(&self, order: Shutdown) -> Fut<'_, Report> {
        Box::pin(async move {
            let mut shutdown = crossws_core::Shutdown::default().grace(order.deadline);
            if let Some((code, reason)) = order.frame {
                shutdown = shutdown.frame(CloseFrame::new(CloseCode::new(code).unwrap(), reason));
            }
            let all = self.server.hub().stats().sessions;
            let report = self.server.shutdown(shutdown).await;
            Report {
                closed: all - report.forced,
                forced: report.forced,
            }
        })
    }
}

/// With `CROSSWS_SEED` in the environment, another order in which connections run: what the suite asks
/// for holds in any.
fn seed() -> Option<u64> {
    std::env::var("CROSSWS_SEED").ok()?.parse().ok()
}

/// The application's HTTP service.
#[derive(Clone)]
struct Service;

impl tower_service::Service<Request<Body>> for Service {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes());
            let request = Request::from_parts(parts, body.unwrap_or_default());
            Ok(App::http(&request).map(Full::new))
        })
    }
}

/// Wraps a client of this adapter for a case, which decides when something is read and which pings
/// are answered.
pub fn client(mut client: crossws_memory::Client) -> Connected {
    client.auto_pong(false);
    client.pause();
    Connected {
        response: client.response().clone(),
        client: Box::new(MemoryClient(client)),
    }
}

struct MemoryClient(crossws_memory::Client);

impl Client for MemoryClient {
    fn send(&mut self, frame: Frame) -> Fut<'_, Result<(), Gone>> {
        let sent = match frame {
            Frame::Text(text) => self.0.send(text).map_err(drop),
            Frame::Binary(bytes) => self.0.send(bytes).map_err(drop),
            Frame::Ping(data) => self.0.ping(data).map_err(drop),
            Frame::Pong(data) => self.0.pong(data).map_err(drop),
            Frame::Close(None) => {
                self.0.close_without_code();
                Ok(())
            }
            Frame::Close(Some((code, reason))) => {
                self.0.close(CloseCode::new(code).unwrap(), reason);
                Ok(())
            }
        };
        Box::pin(async move { sent.map_err(|()| Gone) })
    }

    fn next(&mut self) -> Fut<'_, Event> {
        Box::pin(async move {
            self.0.resume();
            let event = next(&mut self.0).await;
            self.0.pause();
            event
        })
    }

    fn vanish(mut self: Box<Self>) {
        self.0.vanish();
    }
}

/// Returns the next frame, or how the connection ended.
async fn next(client: &mut crossws_memory::Client) -> Event {
    match client.next_frame().await {
        Some(crossws_memory::Frame::Message(Message::Text(text))) => Event::Text(text.to_string()),
        Some(crossws_memory::Frame::Message(Message::Binary(bytes))) => {
            Event::Binary(bytes.to_vec())
        }
        Some(crossws_memory::Frame::Ping(data)) => Event::Ping(data.to_vec()),
        Some(crossws_memory::Frame::Pong(data)) => Event::Pong(data.to_vec()),
        Some(crossws_memory::Frame::Close(frame)) => {
            Event::Close(frame.map(|frame| (frame.code().get(), frame.reason().to_string())))
        }
        None if client.closed().await.clean => Event::End,
        None => Event::Cut,
        Some(other) => panic!("a new kind of frame: {other:?}"),
    }
}

/// A client that sends bytes.
struct MemoryRaw {
    client: crossws_memory::Client,
    /// Has arrived, and is no whole frame yet.
    read: Vec<u8>,
    /// The server's close frame has arrived.
    closing: bool,
}

impl Raw for MemoryRaw {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Fut<'a, Result<(), Gone>> {
        let sent = self.client.send_raw(bytes).map_err(|_| Gone);
        Box::pin(std::future::ready(sent))
    }

    fn response(&mut self) -> Fut<'_, Option<Response<Bytes>>> {
        Box::pin(std::future::ready(None))
    }

    fn frame(&mut self) -> Fut<'_, Event> {
        Box::pin(async move {
            loop {
                if let Some(event) = take_frame(&mut self.read) {
                    assert!(!self.closing, "after its close frame: {event:?}");
                    self.closing = matches!(event, Event::Close(_));
                    return event;
                }
                match self.client.next_raw().await {
                    Some(bytes) => self.read.extend(bytes),
                    None if self.closing => return Event::End,
                    None => return Event::Cut,
                }
            }
        })
    }

    fn finish(&mut self) -> Fut<'_, ()> {
        // A link has no half: the client is gone.
        if !self.closing {
            self.client.vanish();
        }
        Box::pin(std::future::ready(()))
    }
}
