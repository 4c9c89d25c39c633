use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use crossws_core::adapter::{Accepted, OpeningPeer};
use crossws_core::{ClosedBy, Hooks, Message, Resolve};
use worker::js_sys::{ArrayBuffer, Uint8Array};
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen::convert::FromWasmAbi;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::future_to_promise;
use worker::worker_sys::ext::WebSocketExt;
use worker::{Request, Response, WebSocketPair, web_sys};

use crate::background::background;
use crate::error::Error;
use crate::http::{request, response};
use crate::link::socket::Socket;
use crate::link::timer::Timer;
use crate::link::transport::{Clock, PLAIN_CAPABILITIES, WorkerTransport};
use crate::link::{Link, deadline, pump};
use crate::objects::Upgraded;
use crate::options::Options;

/// Serves WebSockets in the Worker itself, without an object: the same hooks, no topics, and a
/// connection that lives as long as its Worker.
///
/// `subscribe` and `publish` return `Unsupported`, as
/// [`PLAIN_CAPABILITIES`](crate::PLAIN_CAPABILITIES) declares.
///
/// ```no_run
/// use crossws_core::hooks;
/// use crossws_worker::{Plain, Upgraded};
/// use worker::{Context, Request, Response, Result};
///
/// async fn echo(request: Request, context: Context) -> Result<Response> {
///     let echo = hooks().on_message(|peer, message| async move { peer.send(message) });
///     match Plain::new().upgrade(request, &context, echo).await? {
///         Upgraded::Answered(response) => Ok(response),
///         Upgraded::NotHandled(_) => Response::error("not found", 404),
///     }
/// }
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct Plain {
    options: Options,
}

impl Plain {
    /// Returns it with default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the options.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Handles an upgrade and serves its connection. `context` is that of the request's event. It
    /// keeps the platform from dropping the hooks that still run when the connection has ended,
    /// `close` among them. The platform decides for how long: 30 seconds.
    ///
    /// # Errors
    /// When the platform fails. Errors of the hooks or the client are refusals.
    pub async fn upgrade<R: Resolve>(
        &self,
        request: Request,
        context: &worker::Context,
        resolver: R,
    ) -> Result<Upgraded, Error> {
        if !request::is_upgrade(&request)? {
            return Ok(Upgraded::NotHandled(request));
        }
        let asked = request::convert(&request)?;
        let resolver = Arc::new(resolver);
        let time = background();
        let hub = (self.options).hub(PLAIN_CAPABILITIES, None, Arc::clone(&time));
        let accepted = async {
            let limit = hub.limits().upgrade_timeout;
            let claim = hub.in_time(&*time, limit, hub.claim(&resolver, asked));
            let claim = claim.await?;
            let limit = claim.deadline();
            hub.in_time(&*time, limit, claim.upgrade()).await
        };
        let answer = accepted.await.map(|accepted| connect(accepted, context));
        Upgraded::of(request, answer)
    }
}

fn connect<H: Hooks + ?Sized>(
    accepted: Accepted<H>,
    context: &worker::Context,
) -> Result<Response, Error> {
    let pair = WebSocketPair::new()?;
    let ws: web_sys::WebSocket = pair.server.as_ref().clone();
    // Blobs are the default since 2026-03-17, and only an asynchronous call can read them.
    ws.set_binary_type(web_sys::BinaryType::Arraybuffer);
    ws.accept()?;
    let answer = Response::from_websocket(pair.client)?;
    response::append(answer.headers(), accepted.headers())?;
    let socket = Arc::new(Socket::in_memory(ws, deadline::now()));
    let timer = Arc::<Timer>::default();
    socket.set_close_timeout(accepted.settings().limits.close_timeout);
    let transport = WorkerTransport {
        meter: Default::default(),
        socket: Arc::clone(&socket),
        capabilities: PLAIN_CAPABILITIES,
        clock: Clock::Timer(Arc::clone(&timer)),
    };
    let joined = match accepted.join(transport) {
        Ok(joined) => joined,
        Err(frame) => {
            socket.close(frame, ClosedBy::Server, None);
            return Ok(answer);
        }
    };
    let link = Rc::new(Link::of(socket, joined.peer().clone(), joined.lifeline()));
    let ears = Ears::listen(&link)?;
    let served = future_to_promise(AssertUnwindSafe(async move {
        serve(joined, &link, &timer).await;
        link.over();
        drop(ears);
        Ok(JsValue::UNDEFINED)
    }));
    // Not the wrapper's method, which panics if this fails.
    context.as_ref().wait_until(&served)?;
    Ok(answer)
}

/// Runs the hooks, and the connection's deadlines concurrently.
async fn serve<H: Hooks + ?Sized>(joined: OpeningPeer<H>, link: &Link, timer: &Timer) {
    let mut hooks = pin!(pump::run(joined, link, true));
    let mut time = pin!(timer.keep(link));
    poll_fn(|cx| {
        // Never ready: the deadlines run for as long as the hooks do.
        let _ = time.as_mut().poll(cx);
        hooks.as_mut().poll(cx)
    })
    .await;
}

/// The socket's listeners, for as long as they are needed.
struct Ears {
    link: Rc<Link>,
    message: Closure<dyn FnMut(web_sys::MessageEvent)>,
    close: Closure<dyn FnMut(web_sys::CloseEvent)>,
    error: Closure<dyn FnMut(web_sys::ErrorEvent)>,
}

impl Ears {
    fn listen(link: &Rc<Link>) -> Result<Self, Error> {
        let ears = Self {
            link: Rc::clone(link),
            message: listener(link, |link, event: web_sys::MessageEvent| {
                if let Some(message) = message(&event) {
                    link.spoke(deadline::now());
                    link.message(message);
                }
            }),
            close: listener(link, |link, event: web_sys::CloseEvent| {
                let (code, reason) = (event.code(), event.reason());
                link.socket.answer(code, &reason);
                link.closed(link.socket.closed(code, reason, event.was_clean()));
            }),
            // A close event follows.
            error: listener(link, |link, event: web_sys::ErrorEvent| {
                link.broken(&event.message());
            }),
        };
        let ws = link.socket.raw();
        for (name, listener) in ears.each() {
            ws.add_event_listener_with_callback(name, listener)?;
        }
        Ok(ears)
    }

    fn each(&self) -> [(&'static str, &worker::js_sys::Function); 3] {
        [
            ("message", self.message.as_ref().unchecked_ref()),
            ("close", self.close.as_ref().unchecked_ref()),
            ("error", self.error.as_ref().unchecked_ref()),
        ]
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        for (name, listener) in self.each() {
            let ws = self.link.socket.raw();
            let _ = ws.remove_event_listener_with_callback(name, listener);
        }
    }
}

/// Returns what the platform calls for an event of the socket.
fn listener<E: FromWasmAbi + 'static>(
    link: &Rc<Link>,
    hear: fn(&Link, E),
) -> Closure<dyn FnMut(E)> {
    let link = Rc::clone(link);
    let listener = move |event| hear(&link, event);
    Closure::wrap_assert_unwind_safe(Box::new(listener) as Box<dyn FnMut(E)>)
}

fn message(event: &web_sys::MessageEvent) -> Option<Message> {
    let data = event.data();
    if let Some(text) = data.as_string() {
        return Some(Message::from(text));
    }
    let buffer: ArrayBuffer = data.dyn_into().ok()?;
    Some(Message::from(Uint8Array::new(&buffer).to_vec()))
}
