use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use crossws_core::adapter::{Accepted, ClaimError, OpeningPeer};
use crossws_core::{ClosedBy, Hooks, Message, Rejection, Resolve};
use http::StatusCode;
use worker::js_sys::{ArrayBuffer, Uint8Array};
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::future_to_promise;
use worker::worker_sys::ext::WebSocketExt;
use worker::{Request, Response, WebSocketPair, web_sys};

use crate::background::{background, within};
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
///         Upgraded::NotHandled(_) => Response::error("not a WebSocket", 426),
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
        let hub = self.options.hub(PLAIN_CAPABILITIES, None, background());
        let limit = hub.limits().upgrade_timeout;
        let claim = within(limit, hub.claim(&resolver, asked)).await;
        let upgraded = match claim {
            Some(Ok(claim)) => within(claim.deadline(), claim.upgrade()).await,
            Some(Err(refused)) => Some(Err(refused)),
            None => None,
        };
        let response = match upgraded {
            Some(Ok(accepted)) => connect(accepted, context)?,
            Some(Err(ClaimError::NotHandled(_))) => return Ok(Upgraded::NotHandled(request)),
            Some(Err(ClaimError::Rejected(rejection))) => response::refusal(rejection)?,
            Some(Err(_)) => response::refusal(Rejection::from(StatusCode::NOT_FOUND))?,
            None => response::refusal(hub.upgrade_timed_out())?,
        };
        Ok(Upgraded::Answered(response))
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
    let timer = Timer::new();
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
        let to = Rc::clone(link);
        let message =
            Closure::wrap_assert_unwind_safe(Box::new(move |event: web_sys::MessageEvent| {
                if let Some(message) = message(&event) {
                    to.spoke(deadline::now());
                    to.message(message);
                }
            })
                as Box<dyn FnMut(web_sys::MessageEvent)>);
        let to = Rc::clone(link);
        let close = Closure::wrap_assert_unwind_safe(Box::new(move |event: web_sys::CloseEvent| {
            to.socket.answer(event.code(), &event.reason());
            to.closed(
                to.socket
                    .closed(event.code(), event.reason(), event.was_clean()),
            );
        })
            as Box<dyn FnMut(web_sys::CloseEvent)>);
        let to = Rc::clone(link);
        // A close event follows.
        let error = Closure::wrap_assert_unwind_safe(Box::new(move |event: web_sys::ErrorEvent| {
            to.broken(&event.message());
        })
            as Box<dyn FnMut(web_sys::ErrorEvent)>);
        let ears = Self {
            link: Rc::clone(link),
            message,
            close,
            error,
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

fn message(event: &web_sys::MessageEvent) -> Option<Message> {
    let data = event.data();
    if let Some(text) = data.as_string() {
        return Some(Message::from(text));
    }
    let buffer: ArrayBuffer = data.dyn_into().ok()?;
    Some(Message::from(Uint8Array::new(&buffer).to_vec()))
}
