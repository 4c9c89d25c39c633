//! Event streams and posts at the edge: the object that has a connection gets its client's requests.

use std::time::Duration;

use crossws_core::adapter::Accepted;
use crossws_core::{Bytes, Hooks, MaybeSend, Rejection, Resolve, UpgradeRequest};
use crossws_sse::{Place, Streams, may_be_asked, respond};
use http::request::Parts;
use http::{Response, StatusCode};
use worker::send::SendFuture;
use worker::wasm_bindgen::JsValue;
use worker::{Request, web_sys};

use crate::background::{background, within};
use crate::durable::streams::EVENT_CAPABILITIES;
use crate::error::{Error, report};
use crate::http::answer::{Answer, from_platform, to_platform};
use crate::http::request;
use crate::http::response::text;
use crate::objects::internal::{Address, EVENTS, GONE, KEPT, PATH};
use crate::objects::{Objects, Upgraded};

/// The longest time that an object may take. It responds to a post within 10 s.
const LONGEST: Duration = Duration::from_secs(15);

impl Objects {
    /// Handles a request of a client that cannot open a WebSocket: an event stream for what its peer is
    /// sent, a `POST` for each message, as `docs/sse.md` describes. A new connection's `upgrade` hook
    /// runs here, in the Worker; the connection lives in its object, which does not sleep meanwhile.
    ///
    /// Every other request is returned unchanged, WebSockets among them: those are for
    /// [`upgrade`](Self::upgrade).
    ///
    /// # Errors
    /// When the request is no valid HTTP.
    pub async fn events<R: Resolve>(
        &self,
        request: Request,
        resolver: R,
    ) -> Result<Upgraded, Error> {
        let asked = request::convert(&request)?;
        if !may_be_asked(asked.parts()) {
            return Ok(Upgraded::NotHandled(request));
        }
        let hub = self.options.hub(EVENT_CAPABILITIES, None, background());
        let place = Objectwards {
            objects: self,
            asked: asked.clone(),
        };
        let resolver = std::sync::Arc::new(resolver);
        match respond(&place, &hub, &resolver, asked, request).await {
            Ok(response) => Ok(Upgraded::Answered(to_platform(response)?)),
            Err(request) => Ok(Upgraded::NotHandled(request)),
        }
    }
}

/// The objects as the place of connections, for one request.
struct Objectwards<'a> {
    objects: &'a Objects,
    asked: UpgradeRequest,
}

impl Objectwards<'_> {
    async fn pass<H: Hooks + ?Sized>(&self, accepted: &Accepted<H>) -> Response<Answer> {
        let asked = async {
            let snapshot = match self.objects.snapshot(accepted) {
                Ok(snapshot) => snapshot,
                Err(rejection) => return Ok(refused(rejection)),
            };
            let answer = self.objects.ask(&self.asked, &snapshot, (EVENTS, "open"));
            from_platform(answer.await?)
        };
        // One that died of a panic never responds.
        let limit = accepted.settings().limits.upgrade_timeout;
        let Some(answer) = within(limit, asked).await else {
            return refused(accepted.hub().upgrade_timed_out());
        };
        match answer {
            Ok(response) => response,
            Err(error) => refused(out_of_reach(error)),
        }
    }

    /// Passes a client's request to the object with this id. `None` if there is none.
    async fn forward(
        &self,
        id: Option<&str>,
        asks: &str,
        parts: &Parts,
        body: Option<JsValue>,
    ) -> Option<Result<web_sys::Response, Error>> {
        let object = Address::with_id(&self.objects.namespace, id?).ok()?;
        let mut headers = vec![
            (EVENTS, asks.to_owned()),
            (PATH, parts.uri.path().to_owned()),
        ];
        for name in KEPT {
            let value = parts.headers.get(name);
            headers.extend(value.map(|value| (name, text(value))));
        }
        let headers = headers.iter().map(|(name, value)| (*name, &**value));
        let headers: Vec<_> = headers.collect();
        let method = if body.is_some() { "POST" } else { "GET" };
        let asked = object.fetch(method, &headers, body.as_ref());
        // One that died of a panic never responds.
        let answer = within(LONGEST, asked).await;
        Some(answer.unwrap_or_else(|| {
            Err(worker::Error::from("an object did not respond in time").into())
        }))
    }

    async fn tell(&self, asks: &str, parts: &Parts, body: &Request) -> StatusCode {
        let id = Streams::of_secret(&parts.headers);
        let body = body.inner().body().map(JsValue::from);
        match self.forward(id, asks, parts, body).await {
            Some(Ok(answer)) => StatusCode::from_u16(answer.status()).unwrap_or_default(),
            Some(Err(error)) => out_of_reach(error).status(),
            None => StatusCode::UNAUTHORIZED,
        }
    }

    async fn take_up(&self, parts: &Parts) -> Option<Response<Answer>> {
        let id = Streams::of_event(&parts.headers);
        let answer = self.forward(id, "resume", parts, None).await?;
        match answer.and_then(from_platform) {
            Ok(answer) => Some(answer).filter(|answer| answer.status() != GONE),
            // Not a new connection: the old one may be there in a moment.
            Err(error) => Some(refused(out_of_reach(error))),
        }
    }
}

/// Natively, where this is compiled for lints, futures must be `Send`.
impl Place<Request> for Objectwards<'_> {
    type Body = Answer;

    fn open<H: Hooks + ?Sized>(
        &self,
        accepted: Accepted<H>,
        _: &Parts,
    ) -> impl Future<Output = Response<Answer>> + MaybeSend {
        SendFuture::new(async move { self.pass(&accepted).await })
    }

    fn resume(
        &self,
        request: &Parts,
    ) -> impl Future<Output = Option<Response<Answer>>> + MaybeSend {
        SendFuture::new(self.take_up(request))
    }

    fn post(&self, request: &Parts, body: Request) -> impl Future<Output = StatusCode> + MaybeSend {
        SendFuture::new(async move { self.tell("post", request, &body).await })
    }

    fn close(
        &self,
        request: &Parts,
        body: Request,
    ) -> impl Future<Output = StatusCode> + MaybeSend {
        SendFuture::new(async move { self.tell("close", request, &body).await })
    }
}

fn out_of_reach(error: Error) -> Rejection {
    report("an object is out of reach", error);
    Rejection::unavailable("not now")
}

fn refused(rejection: Rejection) -> Response<Answer> {
    if let Some(error) = rejection.source() {
        report("refusing an event stream", error);
    }
    rejection.into_response().map(|body: Bytes| body.into())
}
