//! A client's life: connections, and the waits between them.

mod live;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crossws_core::{BoxFuture, CloseCode, CloseFrame, HookOutput, Message};

use crate::client::{ClientHandle, subscription};
use crate::connect::config::Config;
use crate::driver::live::Live;
use crate::error::ConnectError;
use crate::platform::{Opened, within};
use crate::reconnect::Disconnected;
use crate::status::Status;

/// The destination of a client's messages.
pub(crate) trait Deliver {
    /// Ready when the next message may come. Also runs what earlier ones began.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    fn deliver(&mut self, message: Message);

    /// Ready when nothing that messages began is running.
    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Puts messages where [`Client::next`](crate::Client::next) finds them.
pub(crate) struct Inbox(pub(crate) ClientHandle);

impl Deliver for Inbox {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<()> {
        match self.0.shared().has_room() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn deliver(&mut self, message: Message) {
        self.0.shared().deliver(message);
    }

    fn poll_finished(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// Runs a function for each message.
pub(crate) struct Run<F, Fut> {
    handle: ClientHandle,
    handler: F,
    /// Boxed once, so that it can be replaced in its place.
    running: Pin<Box<Option<Fut>>>,
}

impl<F, Fut> Run<F, Fut> {
    pub(crate) fn new(handle: ClientHandle, handler: F) -> Self {
        Self {
            handle,
            handler,
            running: Box::pin(None),
        }
    }
}

impl<F, Fut> Deliver for Run<F, Fut>
where
    F: FnMut(ClientHandle, Message) -> Fut,
    Fut: Future<Output: HookOutput>,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_finished(cx)
    }

    fn deliver(&mut self, message: Message) {
        let running = (self.handler)(self.handle.clone(), message);
        self.running.set(Some(running));
    }

    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(running) = self.running.as_mut().as_pin_mut() {
            let output = ready!(running.poll(cx));
            self.running.set(None);
            if let Err(error) = output.into_hook_result() {
                tracing::error!(%error, "a client's handler failed");
                let frame = CloseFrame::new(CloseCode::ERROR, "handler failed");
                self.handle.shared().close(frame);
            }
        }
        Poll::Ready(())
    }
}

/// The future of a client. It ends when the client has ended.
pub(crate) struct Driver<D> {
    handle: ClientHandle,
    config: Arc<Config>,
    deliver: D,
    stage: Stage,
    /// How many tries in sequence have failed, or ended soon.
    failed: u32,
}

enum Stage {
    Opening(BoxFuture<'static, Result<Opened, ConnectError>>),
    Open {
        live: Box<Live>,
        since: Duration,
    },
    Waiting(BoxFuture<'static, ()>),
    /// Nothing is left but the handler of the last message.
    Ending(Option<Disconnected>),
}

impl<D: Deliver> Driver<D> {
    pub(crate) fn new(handle: ClientHandle, config: Arc<Config>, deliver: D) -> Self {
        let stage = opening(&handle, &config);
        Self {
            handle,
            config,
            deliver,
            stage,
            failed: 0,
        }
    }

    fn opened(&mut self, opened: Opened) {
        let handle = &self.handle;
        let subscriptions = {
            let state = handle.shared().lock();
            let topics = state.topics.iter();
            topics
                .filter_map(|topic| subscription(topic).ok())
                .collect()
        };
        handle.shared().set_status(Status::Open, |state| {
            state.begin_connection(subscriptions);
            state.protocol = opened.protocol;
            state.headers = opened.headers;
        });
        if let Some(on_open) = &self.config.on_open {
            on_open.apply(handle.clone());
        }
        let now = handle.platform().now();
        let live = Live::new(opened.socket, now);
        self.stage = Stage::Open {
            live: Box::new(live),
            since: now,
        };
    }

    /// Decides what follows a connection that ended or did not open.
    fn disconnected(&mut self, disconnected: Disconnected) {
        let shared = self.handle.shared();
        shared.pending.calls.lose_all();
        let closing = shared.lock().closing.is_some();
        let reconnect = self.config.reconnect.as_ref();
        let again = reconnect.filter(|policy| !closing && policy.wants(&disconnected, self.failed));
        let Some(policy) = again else {
            self.stage = Stage::Ending(Some(disconnected));
            return;
        };
        let platform = self.handle.platform();
        let wait = policy.wait(&disconnected, self.failed, platform.random());
        tracing::debug!(%disconnected, ?wait, "a client connects again");
        self.failed = self.failed.saturating_add(1);
        shared.set_status(Status::Connecting, |_| ());
        self.stage = Stage::Waiting(platform.sleep(wait));
    }

    fn poll_stage(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.handle.shared().unpark();
            match &mut self.stage {
                Stage::Opening(open) => {
                    let Poll::Ready(opened) = open.as_mut().poll(cx) else {
                        return self.poll_closed_early(cx);
                    };
                    match opened {
                        Ok(opened) => self.opened(opened),
                        Err(error) => self.disconnected(Disconnected::Failed(error)),
                    }
                }
                Stage::Open { live, since } => {
                    let closed = ready!(live.poll(cx, &self.handle, &mut self.deliver));
                    let lasted = self.handle.platform().now().saturating_sub(*since);
                    let most = self.config.reconnect.as_ref().map(|policy| policy.most);
                    if most.is_some_and(|most| lasted >= most) {
                        self.failed = 0;
                    }
                    self.disconnected(Disconnected::Closed(closed));
                }
                Stage::Waiting(sleep) => {
                    if sleep.as_mut().poll(cx).is_pending() {
                        return self.poll_closed_early(cx);
                    }
                    self.stage = opening(&self.handle, &self.config);
                }
                Stage::Ending(disconnected) => {
                    ready!(self.deliver.poll_finished(cx));
                    let disconnected = disconnected.take().unwrap_or_else(Disconnected::lost);
                    end(&self.handle, disconnected);
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Waits for a connection, unless the client is closed meanwhile.
    fn poll_closed_early(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Runs the handler of the last message.
        let _ = self.deliver.poll_ready(cx);
        let shared = self.handle.shared();
        if shared.park(cx, |state| state.closing.is_some()) {
            return Poll::Pending;
        }
        end(&self.handle, Disconnected::Failed(ConnectError::Closed));
        Poll::Ready(())
    }
}

fn opening(handle: &ClientHandle, config: &Arc<Config>) -> Stage {
    let (config, platform) = (Arc::clone(config), Arc::clone(handle.platform()));
    let timeout = config.connect_timeout;
    Stage::Opening(Box::pin(async move {
        let sleep = platform.sleep(timeout);
        let open = async {
            let dial = config.dial().await?;
            platform.open(dial).await
        };
        let opened = within(sleep, open).await;
        opened.unwrap_or(Err(ConnectError::Timeout(timeout)))
    }))
}

/// Ends the client, the first time.
fn end(handle: &ClientHandle, disconnected: Disconnected) {
    let shared = handle.shared();
    shared.set_status(Status::Closed, |state| {
        state.end.get_or_insert_with(|| Arc::new(disconnected));
    });
    shared.pending.calls.lose_all();
}

/// What it polls is in boxes: nothing in it is pinned.
impl<D> Unpin for Driver<D> {}

impl<D: Deliver> Future for Driver<D> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_stage(cx)
    }
}

/// A runtime that stops drops its tasks.
impl<D> Drop for Driver<D> {
    fn drop(&mut self) {
        if self.handle.shared().lock().end.is_none() {
            end(&self.handle, Disconnected::lost());
        }
    }
}
