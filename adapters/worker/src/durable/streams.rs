//! Event streams and posts in an object, where their connections live.

use crossws_core::{Capabilities, Hub, Rejection, Resolve};
use crossws_sse::{Place, SocketBody, Streams};
use http::request::Parts;
use worker::Response;
use worker::send::SendFuture;

use crate::durable::Durable;
use crate::error::Error;
use crate::http::body::pumped;
use crate::http::incoming::Incoming;
use crate::http::response::{header, plain, refusal};
use crate::objects::internal::{GONE, KEPT, Mark, PATH};
use crate::objects::ticket::{self, TICKET};
use crate::options::Options;

/// The capabilities of a peer in a Durable Object that is reached over an event stream. The object does
/// not sleep while it has one. The adapter writes the stream itself, and so knows what waits.
pub const EVENT_CAPABILITIES: Capabilities = crossws_sse::CAPABILITIES
    .without(Capabilities::HANDLER)
    .without(Capabilities::PANIC)
    .without(Capabilities::REMOTE_ADDR)
    .without(Capabilities::RETAINED)
    .without(Capabilities::ROUTES)
    .without(Capabilities::SHUTDOWN);

/// Returns the place of the object's streams, which its clients name by its id.
pub(super) fn streams(hub: &Hub, options: &Options, mark: &Mark) -> Streams {
    let capabilities = match options.retained {
        Some(_) => EVENT_CAPABILITIES.with(Capabilities::RETAINED),
        None => EVENT_CAPABILITIES,
    };
    Streams::in_place(hub, options.events.clone(), capabilities, mark.id())
}

impl<R: Resolve> Durable<R> {
    /// Handles what the Worker passes on of the clients of event streams.
    pub(super) async fn events(
        &self,
        asks: &str,
        request: worker::Request,
    ) -> Result<Response, Error> {
        if asks == "open" {
            if let Err(rejection) = self.start.ready().await {
                return refusal(rejection);
            }
            let ticket = request.headers().get(TICKET)?.unwrap_or_default();
            return match ticket::read(&ticket) {
                Ok(snapshot) => self.stream(self.streams.admit(&snapshot, &self.resolver).await),
                Err(error) => refusal(Rejection::internal(error)),
            };
        }
        let parts = parts(&request)?;
        let status = match asks {
            "resume" => match Place::<Incoming>::resume(&self.streams, &parts).await {
                Some(response) => return self.stream(response),
                None => GONE,
            },
            "post" => self.streams.post(&parts, Incoming::of(request)).await,
            _ => self.streams.close(&parts, Incoming::of(request)).await,
        };
        let mut response = http::Response::default();
        *response.status_mut() = status;
        plain(response)
    }

    /// Returns a response as the platform's. A task of the object writes its body.
    fn stream(&self, response: http::Response<SocketBody>) -> Result<Response, Error> {
        let (response, pump) = pumped(response)?;
        self.tasks.spawn(Box::pin(SendFuture::new(pump)));
        Ok(response)
    }
}

/// Returns what the Worker passes on of a client's head.
fn parts(request: &worker::Request) -> Result<Parts, Error> {
    let mut parts = http::Request::new(()).into_parts().0;
    let path = request.headers().get(PATH)?.unwrap_or_default();
    parts.uri = path.parse().map_err(http::Error::from)?;
    for name in KEPT {
        if let Some(value) = request.headers().get(name)? {
            let (name, value) = header(name, &value)?;
            parts.headers.insert(name, value);
        }
    }
    Ok(parts)
}
