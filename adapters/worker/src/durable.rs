pub(crate) mod alarm;
pub(crate) mod attachment;
pub(crate) mod durable_object;
mod links;
pub(crate) mod retained;
#[cfg(feature = "sse")]
pub(crate) mod streams;
mod timing;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crossws_core::adapter::Start;
use crossws_core::{Capabilities, CloseFrame, Closed, ClosedBy, Hub, Message, Rejection, Resolve};
use worker::js_sys::Promise;
use worker::wasm_bindgen_futures::{JsFuture, spawn_local};
use worker::{
    State, WebSocketIncomingMessage, WebSocketPair, WebSocketRequestResponsePair, web_sys,
};

use crate::background::of_object;
use crate::durable::alarm::Alarm;
use crate::durable::links::Links;
use crate::error::{Error, report};
use crate::http::response;
use crate::link::socket::{Socket, stored};
use crate::link::transport::{Clock, DURABLE_CAPABILITIES, WorkerTransport};
use crate::link::{Link, deadline, pump};
#[cfg(feature = "sse")]
use crate::objects::internal::EVENTS;
use crate::objects::internal::Mark;
use crate::objects::ticket::{self, COMMAND, TICKET};
use crate::options::Options;
use crate::room::command::Command;
use crate::tasks::Tasks;

/// The body of a Durable Object. A macro wraps it in the class that the platform requires: see
/// [`durable_object!`](crate::durable_object).
///
/// All state is here and in the sockets' attachments: several objects may share an instance.
pub struct Durable<R: Resolve> {
    mark: Mark,
    state: State,
    hub: Hub,
    resolver: Arc<R>,
    links: Rc<Links>,
    alarm: Arc<Alarm>,
    start: Arc<Start>,
    tasks: Tasks,
    #[cfg(feature = "sse")]
    streams: crossws_sse::Streams,
    /// Kept once the retained messages are loaded.
    loaded: Option<Promise>,
    capabilities: Capabilities,
}

const NOT_HERE: &str = "an object is reached through `crossws::worker::Objects`";

/// Waits until a promise that never fails is kept.
async fn wait_for(promise: Option<Promise>) {
    if let Some(promise) = promise {
        let _ = JsFuture::from(promise).await;
    }
}

impl<R: Resolve> Durable<R> {
    /// Creates the object, with every peer whose socket the platform still holds.
    pub fn new(state: State, resolver: R, options: &Options) -> Self {
        let retained = options.retained.and_then(|of| of(&state));
        let capabilities = match &retained {
            Some(_) => DURABLE_CAPABILITIES.with(Capabilities::RETAINED),
            None => DURABLE_CAPABILITIES,
        };
        let tasks = Tasks::new();
        let hub = options.hub(capabilities, retained.as_deref(), of_object(&tasks));
        let loaded = retained.map(|retained| retained.load(&state, &hub));
        let mark = Mark::of(&state);
        let durable = Self {
            #[cfg(feature = "sse")]
            streams: streams::streams(&hub, options, &mark),
            mark,
            alarm: Alarm::new(&state),
            state,
            resolver: Arc::new(resolver),
            links: Rc::default(),
            start: Arc::default(),
            tasks,
            capabilities,
            loaded,
            hub,
        };
        if let Some((ask, answer)) = &options.auto_response {
            durable.auto_response(ask, answer);
        }
        match durable.state.as_raw().get_websockets() {
            Ok(sockets) => sockets.into_iter().for_each(|ws| durable.restore(ws)),
            Err(error) => report(
                "the object's sockets cannot be listed",
                worker::Error::from(error),
            ),
        }
        durable.begin();
        // Deadlines that passed while the object slept are due at once.
        durable.set_alarm();
        durable
    }

    /// Runs the `start` hook once the retained messages are loaded. The peers' hooks and upgrades wait for
    /// its end.
    fn begin(&self) {
        let start = Arc::clone(&self.start);
        let (hub, resolver) = (self.hub.clone(), Arc::clone(&self.resolver));
        let loaded = self.loaded.clone();
        spawn_local(async move {
            wait_for(loaded).await;
            if let Err(error) = start.run(&resolver, &hub).await {
                report("the object has not started", error);
            }
        });
    }

    /// Returns the hub of this object: publish, list and address its peers, as from a hook.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    fn auto_response(&self, ask: &str, answer: &str) {
        let set = WebSocketRequestResponsePair::new(ask, answer)
            .and_then(|pair| self.state.as_raw().set_websocket_auto_response(&pair));
        if let Err(error) = set {
            report("no auto-response", worker::Error::from(error));
        }
    }

    fn restore(&self, ws: web_sys::WebSocket) {
        let attachment = match stored(&ws) {
            Ok(Some(attachment)) => attachment,
            Ok(None) => return,
            Err(error) => return lose(&Socket::new(ws, 0), error),
        };
        let socket = Arc::new(Socket::restored(ws, &attachment));
        let transport = self.transport(&socket);
        match self.hub.restore(&attachment.snapshot, transport) {
            Ok(seat) => {
                if attachment.closing.is_some() {
                    // This side closed before the sleep: only the client's reply may still arrive.
                    seat.lifeline().ended();
                }
                self.links.list(Link::new(socket, seat));
            }
            Err(error) => lose(&socket, error),
        }
    }

    fn transport(&self, socket: &Arc<Socket>) -> WorkerTransport {
        WorkerTransport {
            meter: Default::default(),
            socket: Arc::clone(socket),
            capabilities: self.capabilities,
            clock: Clock::Alarm(Arc::clone(&self.alarm)),
        }
    }

    /// Ensures that the peer's hooks run.
    fn run_hooks(&self, link: &Rc<Link>, fresh: bool) {
        if let Some(seat) = link.take_seat() {
            let resolver = Arc::clone(&self.resolver);
            let start = Arc::clone(&self.start);
            let alarm = Arc::clone(&self.alarm);
            let own = Rc::clone(link);
            let pump = pump::claim_and_run(own, seat, start, resolver, alarm, fresh);
            link.begin(pump);
            let (link, links) = (Rc::clone(link), Rc::clone(&self.links));
            spawn_local(async move {
                poll_fn(|cx| link.poll_pump(cx)).await;
                links.remove(&link);
            });
        }
    }

    /// Handles a request of the Worker: an upgrade that it accepted, or a command.
    ///
    /// # Errors
    /// When the platform fails.
    pub async fn fetch(&self, mut request: worker::Request) -> worker::Result<worker::Response> {
        // A Worker may forward its clients' requests to the object by mistake.
        if !self.mark.is_on(&request) {
            return worker::Response::error(NOT_HERE, 404);
        }
        self.catch_up(deadline::now());
        #[cfg(feature = "sse")]
        if let Some(asks) = request.headers().get(EVENTS)? {
            return Ok(self.events(&asks, request).await?);
        }
        if let Some(ticket) = request.headers().get(TICKET)? {
            if let Err(rejection) = self.start.ready().await {
                return Ok(response::refusal(rejection)?);
            }
            return Ok(self.admit(&ticket)?);
        }
        if let Some(command) = request.headers().get(COMMAND)? {
            let body = request.bytes().await?;
            // The platform holds back the events of a new object. One that is created anew in an event,
            // after a panic, would run the command before it knows what is retained.
            wait_for(self.loaded.clone()).await;
            return Ok(self.command(&command, body)?);
        }
        worker::Response::error(NOT_HERE, 404)
    }

    fn admit(&self, ticket: &str) -> Result<worker::Response, Error> {
        let snapshot = match ticket::read(ticket) {
            Ok(snapshot) => snapshot,
            Err(error) => return response::refusal(Rejection::internal(error)),
        };
        let pair = WebSocketPair::new()?;
        let socket = Socket::admitted(pair.server.as_ref().clone(), deadline::now());
        let socket = Arc::new(socket);
        let seat = match self.hub.admit(&snapshot, self.transport(&socket)) {
            Ok(seat) => seat,
            Err(rejection) => return response::refusal(rejection),
        };
        // Not the wrapper's method, which panics if this fails.
        self.state.as_raw().accept_websocket(socket.raw())?;
        socket.accepted();
        if let Some(frame) = seat.expired() {
            socket.close(frame, ClosedBy::Timeout, None);
            socket.forget();
        } else {
            let link = self.links.list(Link::new(socket, seat));
            if let Some(at) = link.next_due() {
                self.alarm.by(at);
            }
            self.run_hooks(&link, true);
        }
        Ok(worker::Response::from_websocket(pair.client)?)
    }

    fn command(&self, command: &str, body: Vec<u8>) -> Result<worker::Response, Error> {
        let ran = Command::decode(command).and_then(|command| command.run(&self.hub, body));
        match ran {
            Ok(answer) => Ok(worker::Response::ok(answer)?),
            Err(error) => Ok(worker::Response::error(error.to_string(), 400)?),
        }
    }

    /// Handles a message.
    ///
    /// # Errors
    /// None: the platform would swallow it. Failures reach the `error` hook.
    pub async fn websocket_message(
        &self,
        ws: worker::WebSocket,
        message: WebSocketIncomingMessage,
    ) -> worker::Result<()> {
        let message = match message {
            WebSocketIncomingMessage::String(text) => Message::from(text),
            WebSocketIncomingMessage::Binary(bytes) => Message::from(bytes),
        };
        if let Some(link) = self.links.find(ws.as_ref()) {
            let now = deadline::now();
            link.spoke(now);
            self.catch_up(now);
            link.message(message);
            self.settle(&link).await;
        }
        Ok(())
    }

    /// Handles the end of a connection.
    ///
    /// # Errors
    /// As [`websocket_message`](Self::websocket_message).
    pub async fn websocket_close(
        &self,
        ws: worker::WebSocket,
        code: usize,
        reason: String,
        clean: bool,
    ) -> worker::Result<()> {
        let code = u16::try_from(code).unwrap_or(Closed::ABNORMAL);
        let Some(link) = self.links.find(ws.as_ref()) else {
            // The event belongs to a peer that has already ended.
            Socket::new(ws.as_ref().clone(), 0).answer(code, &reason);
            return Ok(());
        };
        link.socket.answer(code, &reason);
        let closed = link.socket.closed(code, reason, clean);
        self.closed(&link, closed);
        self.settle(&link).await;
        Ok(())
    }

    /// Handles a broken protocol rule, or a lost connection.
    ///
    /// # Errors
    /// As [`websocket_message`](Self::websocket_message).
    pub async fn websocket_error(
        &self,
        ws: worker::WebSocket,
        error: worker::Error,
    ) -> worker::Result<()> {
        if let Some(link) = self.links.find(ws.as_ref()) {
            link.broken(&error.to_string());
            // The platform calls no close handler after an error.
            self.closed(&link, Closed::lost(ClosedBy::Network));
            self.settle(&link).await;
        }
        Ok(())
    }

    /// Handles the alarm.
    ///
    /// # Errors
    /// When the platform fails.
    pub async fn alarm(&self) -> worker::Result<worker::Response> {
        let told = self.keep_time(deadline::now());
        let mut settled = pin!(async {
            for link in told {
                self.settle(&link).await;
            }
        });
        // The next alarm comes only when this one is over, and the hooks may sleep until then.
        let mut due = pin!(self.alarm.due());
        poll_fn(|cx| match settled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => due.as_mut().poll(cx),
        })
        .await;
        worker::Response::empty()
    }

    fn closed(&self, link: &Rc<Link>, closed: Closed) {
        link.socket.forget();
        link.closed(closed);
        self.run_hooks(link, false);
    }

    /// Waits for the hooks of the events so far. Other events are handled meanwhile.
    async fn settle(&self, link: &Rc<Link>) {
        self.run_hooks(link, false);
        link.settled().await;
    }
}

/// Closes a peer that cannot be restored, because no hook would get its client's messages.
fn lose(socket: &Socket, error: impl std::fmt::Display) {
    report("a peer is not restored", error);
    let frame = CloseFrame::internal_error();
    socket.close(frame, ClosedBy::Server, None);
    socket.forget();
}

/// The platform has dropped the object: futures in its memory must not run in another object's
/// place.
impl<R: Resolve> Drop for Durable<R> {
    fn drop(&mut self) {
        for link in self.links.take() {
            link.abandon();
        }
        self.tasks.end();
    }
}

crossws_core::opaque_debug!([R: Resolve] Durable<R>, self => hub: self.hub);
