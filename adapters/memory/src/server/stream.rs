//! A response whose body arrives later, between the application's service and a test.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crossws_core::adapter::sync::Mutex;
use crossws_core::{Body, BoxError, Bytes};
use http_body::{Body as HttpBody, Frame};

use crate::server::World;
use crate::time::executor::Waiter;

/// The service is asked for no more of the body while this much waits for the test, as a socket's
/// buffers would hold.
const WINDOW: usize = 64 << 10;

#[derive(Default)]
struct Pipe {
    frames: VecDeque<Bytes>,
    waiting: usize,
    /// The result of the body, once it has one.
    end: Option<Result<(), BoxError>>,
    /// The test has dropped its end.
    gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Spawns a task that reads the service's body as far as a socket would, also while the test does
/// something else. Returns the test's end, which drops the service's body when it is dropped.
pub(crate) fn pipe(world: Arc<World>, body: Body) -> Body {
    let pipe = Arc::<Mutex<Pipe>>::default();
    let to = Arc::clone(&pipe);
    world.executor.spawn(Box::pin(async move {
        // Drops the body, which is the application's, before it locks the pipe.
        let ended = transfer(body, &to).await;
        tell(&to, |pipe| {
            pipe.end = Some(ended);
            pipe.reader.take()
        });
    }));
    Body::new(TestsEnd {
        waiter: world.executor.waiter(),
        pipe,
        world,
    })
}

/// Changes the pipe, and wakes the end whose waker is returned.
fn tell(pipe: &Mutex<Pipe>, change: impl FnOnce(&mut Pipe) -> Option<Waker>) {
    let waker = change(&mut pipe.lock());
    waker.into_iter().for_each(Waker::wake);
}

/// Reads the body to its end, or until the test has dropped its own.
async fn transfer(mut body: Body, pipe: &Mutex<Pipe>) -> Result<(), BoxError> {
    while let Some(frame) = poll_fn(|cx| poll_source(&mut body, pipe, cx)).await {
        // Nothing here reads trailers.
        if let Ok(data) = frame?.into_data() {
            tell(pipe, |pipe| {
                pipe.waiting += data.len();
                pipe.frames.push_back(data);
                pipe.reader.take()
            });
        }
    }
    Ok(())
}

/// Polls the body while there is room for more of it.
fn poll_source(
    body: &mut Body,
    pipe: &Mutex<Pipe>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    {
        let mut pipe = pipe.lock();
        if pipe.gone {
            return Poll::Ready(None);
        }
        pipe.writer = Some(cx.waker().clone());
        if pipe.waiting >= WINDOW {
            return Poll::Pending;
        }
    }
    Pin::new(body).poll_frame(cx)
}

struct TestsEnd {
    world: Arc<World>,
    waiter: Waiter,
    pipe: Arc<Mutex<Pipe>>,
}

impl HttpBody for TestsEnd {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.pipe.lock().reader = Some(cx.waker().clone());
        self.world.executor.drive(&self.waiter, cx);
        let mut pipe = self.pipe.lock();
        if let Some(data) = pipe.frames.pop_front() {
            pipe.waiting -= data.len();
            let writer = pipe.writer.take();
            drop(pipe);
            writer.into_iter().for_each(Waker::wake);
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let Some(end) = &mut pipe.end else {
            return Poll::Pending;
        };
        let ended = std::mem::replace(end, Ok(()));
        Poll::Ready(ended.err().map(Err))
    }
}

impl Drop for TestsEnd {
    fn drop(&mut self) {
        tell(&self.pipe, |pipe| {
            pipe.gone = true;
            pipe.writer.take()
        });
    }
}
