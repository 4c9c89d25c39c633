use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crossws_core::BoxFuture;
use crossws_memory::{Frame, TestServer};

use crate::ConnectError;
use crate::connect::dial::Dial;
use crate::platform::{Event, Opened, Platform, Socket};
use crate::shared::{Out, Shared};

impl Platform for TestServer {
    fn open(&self, dial: Dial) -> BoxFuture<'static, Result<Opened, ConnectError>> {
        let server = self.clone();
        Box::pin(async move {
            let mut connect = server
                .connect(&dial.target.url())
                .protocols(&dial.protocols);
            for (name, value) in &dial.headers {
                connect = connect.header(name, value);
            }
            let mut client = connect.await.map_err(|error| {
                let (parts, _) = error.into_response().into_parts();
                ConnectError::Refused(Box::new(http::Response::from_parts(parts, ())))
            })?;
            // The driver does both.
            client.auto_pong(false);
            client.auto_close(false);
            Ok(Opened {
                protocol: client.protocol().map(str::to_owned),
                headers: client.response().headers().clone(),
                socket: Box::new(MemorySocket { client, written: 0 }),
            })
        })
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let server = self.clone();
        Box::pin(async move { TestServer::sleep(&server, time).await })
    }

    fn now(&self) -> Duration {
        TestServer::now(self)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        TestServer::spawn(self, task);
    }

    fn drive(&self) -> Option<BoxFuture<'static, ()>> {
        let server = self.clone();
        Some(Box::pin(async move {
            server.drive(std::future::pending()).await
        }))
    }
}

/// A client of the toolkit as a socket.
struct MemorySocket {
    client: crossws_memory::Client,
    written: u64,
}

impl Socket for MemorySocket {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        // Dropping the future loses no frame, and the link keeps the waker.
        let frame = pin!(self.client.next_frame()).poll(cx);
        frame.map(|frame| match frame {
            Some(Frame::Message(message)) => Event::Message(message),
            Some(Frame::Ping(data)) => Event::Ping(data),
            Some(Frame::Close(frame)) => Event::Close(frame),
            Some(_) => Event::Pong,
            None => Event::End,
        })
    }

    fn poll_write(&mut self, _: &mut Context<'_>, shared: &Shared) -> Poll<io::Result<()>> {
        while let Some(frame) = { shared.lock().pop() } {
            self.written += 1;
            let client = &mut self.client;
            // A connection that is over says so by its end.
            match frame {
                Out::Message(message) => drop(client.send(message)),
                Out::Ping(data) => drop(client.ping(data)),
                Out::Pong(data) => drop(client.pong(data)),
                Out::Close(Some(frame)) => client.close(frame.code(), frame.reason().clone()),
                Out::Close(None) => client.close_without_code(),
            }
        }
        shared.set_writing(0);
        Poll::Ready(Ok(()))
    }

    fn written(&self) -> u64 {
        self.written
    }
}
