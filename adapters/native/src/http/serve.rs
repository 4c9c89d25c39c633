use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use crossws_core::Resolve;
use crossws_core::adapter::HttpApp;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use crate::driver::raw::RawStream;
use crate::http::hyper_io::{HyperIo, HyperTimer};
use crate::http::keep_alive::{Activity, KeepAlive, served};
use crate::http::site::{Failed, Site};
use crate::runtime::ServerRuntime;
use crate::server::accept::CONNECTION_BYTES;
use crate::server::response::{overloaded, refuse};
use crate::server::rest::Rest;

/// Serves one connection from its first request on. Later requests may be upgrades too.
pub(crate) async fn serve<R: Resolve, T: ServerRuntime, S: HttpApp>(rest: Rest<R, T>, service: S) {
    #[cfg(feature = "http2")]
    if let Some(settings) = rest.http2().cloned() {
        return Box::pin(crate::http2::connection::serve(rest, &settings, service)).await;
    }
    let Rest {
        unclaimed,
        info,
        resolver,
        handle,
    } = rest;
    let limits = &handle.0.head;
    // hyper's minimum is 8 KiB.
    let max_buffer = limits.max_head.max(8 << 10);
    // Until the connection ends or becomes a WebSocket.
    let mut unfinished = unclaimed.unfinished;
    if unfinished.hold(CONNECTION_BYTES + max_buffer).is_err() {
        let rejection = overloaded(handle.hub(), info.remote_addr);
        return refuse(unclaimed.io, &T::default(), rejection).await;
    }
    let activity = Activity::default();
    let io = HyperIo {
        stream: RawStream {
            early: unclaimed.read,
            io: unclaimed.io,
        },
        activity: activity.clone(),
    };
    let mut keep_alive = KeepAlive::new(activity.clone());
    let site = Site::new(resolver, &handle, info, service);
    // The hooks did not claim the first request.
    let first = AtomicBool::new(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        site.note(&mut request);
        activity.called();
        let activity = activity.clone();
        let is_unclaimed = first.swap(false, Ordering::Relaxed);
        let site = site.clone();
        async move {
            let response = match is_unclaimed {
                true => site.serve(request).await,
                false => site.respond(request).await,
            };
            Ok::<_, Failed>(response?.map(|body| served(body, activity)))
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(HyperTimer(T::default()))
            // hyper's own time would count from the end of the previous response; `keep_alive` has
            // the times.
            .header_read_timeout(None)
            .max_headers(limits.max_headers)
            .max_buf_size(max_buffer)
            .serve_connection(io, service)
            .with_upgrades()
    );
    let runtime = T::default();
    let watch = handle.0.stop.watch();
    let mut stop = pin!(watch.stopping());
    let mut told = false;
    let served = std::future::poll_fn(|cx| {
        if !told && stop.as_mut().poll(cx).is_ready() {
            told = true;
            // The current request gets its response; idle connections end at once.
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        std::task::ready!(keep_alive.poll(&runtime, limits, cx));
        // An idle connection ends at once, and in an orderly way. Other connections are dropped.
        connection.as_mut().graceful_shutdown();
        match connection.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    })
    .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
