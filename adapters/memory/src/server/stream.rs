//! A response whose body arrives later, between the application's service and a test.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

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
    let mut source = Some(body);
    let to = Arc::clone(&pipe);
    world
        .executor
        .spawn(Box::pin(std::future::poll_fn(move |cx| {
            let ended = ready!(poll_source(&mut source, &to, cx));
            // Without the lock: the body is the application's.
            source = None;
            let mut pipe = to.lock();
            pipe.end = Some(ended);
            let reader = pipe.reader.take();
            drop(pipe);
            reader.into_iter().for_each(Waker::wake);
            Poll::Ready(())
        })));
    Body::new(TestsEnd {
        waiter: world.executor.waiter(),
        pipe,
        world,
    })
}

fn poll_source(
    source: &mut Option<Body>,
    pipe: &Mutex<Pipe>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), BoxError>> {
    let Some(body) = source else {
        return Poll::Ready(Ok(()));
    };
    loop {
        {
            let mut pipe = pipe.lock();
            if pipe.gone {
                return Poll::Ready(Ok(()));
            }
            pipe.writer = Some(cx.waker().clone());
            if pipe.waiting >= WINDOW {
                return Poll::Pending;
            }
        }
        let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx)).transpose()? else {
            return Poll::Ready(Ok(()));
        };
        // Nothing here reads trailers.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let mut pipe = pipe.lock();
        pipe.waiting += data.len();
        pipe.frames.push_back(data);
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
    }
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
        match pipe.end.take() {
            Some(Ok(())) => {
                pipe.end = Some(Ok(()));
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                pipe.end = Some(Ok(()));
                Poll::Ready(Some(Err(error)))
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for TestsEnd {
    fn drop(&mut self) {
        let mut pipe = self.pipe.lock();
        pipe.gone = true;
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
    }
}
