//! What a client reads of an event stream: what was pushed, in virtual time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod format;
mod stream;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use crossws_core::http::{Request, Response};
use crossws_core::{Body, hooks};
use crossws_memory::TestServer;
use crossws_sse::{EventResponse, EventStream, Reader};
use futures_lite::future::poll_once;
use tower_service::Service;

/// An HTTP service of one function.
#[derive(Clone)]
struct Pages<F>(F);

impl<F: Fn(Request<Body>) -> EventResponse> Service<Request<Body>> for Pages<F> {
    type Response = EventResponse;
    type Error = Infallible;
    type Future = Ready<Result<EventResponse, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        ready(Ok((self.0)(request)))
    }
}

fn serve<F>(page: F) -> TestServer
where
    F: Fn(EventStream) -> EventResponse + Clone + Send + Sync + 'static,
{
    let page = move |request: Request<Body>| page(EventStream::of(&request).unwrap());
    TestServer::builder(hooks()).http(Pages(page)).build()
}

async fn open(server: &TestServer) -> Response<Body> {
    server.get("/").stream().await.unwrap()
}

async fn read(server: &TestServer) -> Reader<Body> {
    Reader::new(open(server).await.into_body())
}

async fn data(reader: &mut Reader<Body>) -> String {
    reader.next().await.unwrap().unwrap().data
}

/// The bytes that have arrived until here.
async fn arrived(server: &TestServer, body: &mut Body) -> String {
    use http_body::Body as _;
    server.settle().await;
    let mut bytes = Vec::new();
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx));
        match poll_once(frame).await {
            Some(Some(frame)) => bytes.extend_from_slice(&frame.unwrap().into_data().unwrap()),
            _ => return String::from_utf8(bytes).unwrap(),
        }
    }
}
