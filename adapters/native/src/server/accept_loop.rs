//! The listener of a server: each connection that it accepts becomes a task.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

#[cfg(feature = "http2")]
use crossws_core::Sockets;
use crossws_core::adapter::Start;
use crossws_core::{ConnectionInfo, Resolve, SettingsError};

use crate::driver::stage::Stage;
#[cfg(feature = "http2")]
use crate::http::serve::serve;
use crate::runtime::ServerRuntime;
use crate::runtime::io::Io;
use crate::runtime::listen::{Listen, accept};
use crate::server::accept::{NotHandled, not_found, shake_hands};
use crate::server::handle::ServerHandle;
use crate::server::rest::{Fallback, Rest};
use crate::server::stream_info::StreamInfo;

/// Runs the accept loop.
pub(super) async fn run<R: Resolve, T: ServerRuntime, L: Listen<T>>(
    mut listener: L,
    resolver: Arc<R>,
    fallback: Option<Fallback<R, T>>,
    handle: ServerHandle<T>,
    checked: Result<(), SettingsError>,
) -> io::Result<()> {
    let shared = &handle.0;
    let watch = shared.stop.watch();
    let start = Start::default();
    let started = start.run_checked(checked, &resolver, &shared.hub).await;
    started.map_err(io::Error::other)?;
    shared.crew.hire(&shared.tasks, &shared.runtime);
    let mut stopping = pin!(watch.stopping());
    let (secure, ends_on_drop) = (listener.is_secure(), listener.ends_on_drop());
    let addr = listener.local_addr().ok().flatten();
    // Browsers leave a default port out of `Host`. They can reach a listener without a port, such as
    // a Unix-domain socket, only through a proxy.
    let forwarded = addr.is_none_or(|addr| !matches!(addr.port(), 80 | 443));
    tracing::info!(
        addr = addr.map(tracing::field::display),
        secure,
        "a server listens"
    );
    loop {
        let accepted = {
            let mut accept = pin!(accept(&mut listener, &shared.runtime));
            std::future::poll_fn(|cx| {
                if stopping.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                accept.as_mut().poll(cx).map(Some)
            })
            .await
        };
        let Some((io, addr)) = accepted else {
            return Ok(());
        };
        let resolver = Arc::clone(&resolver);
        let fallback = fallback.clone();
        let info = ConnectionInfo::new(addr)
            .with_secure(secure)
            .with_forwarded(forwarded);
        let info = StreamInfo::from(info).with_ends_on_drop(ends_on_drop);
        let connection = connection(io, info, resolver, handle.clone(), fallback);
        shared.tasks.spawn(&shared.runtime, Stage::new(connection));
    }
}

/// Runs the beginning of a connection, up to its 101. Returns the next stage.
async fn connection<I: Io, R: Resolve, T: ServerRuntime>(
    io: I,
    info: StreamInfo,
    resolver: Arc<R>,
    handle: ServerHandle<T>,
    fallback: Option<Fallback<R, T>>,
) -> Option<Stage> {
    let shared = &handle.0;
    let runtime = &shared.runtime;
    let crew = Some(Arc::clone(&shared.crew));
    match shake_hands(
        crew,
        io,
        info,
        &resolver,
        &shared.hub,
        runtime,
        &shared.head,
    )
    .await
    {
        Ok(next) => next,
        Err(unclaimed) => {
            let rest = Rest {
                unclaimed: NotHandled {
                    io: Box::new(unclaimed.io) as Box<dyn Io>,
                    read: unclaimed.read,
                    unfinished: unclaimed.unfinished,
                },
                info: info.connection,
                resolver,
                handle,
            };
            Some(match fallback {
                Some(fallback) => Stage::last(fallback(rest)),
                #[cfg(feature = "http2")]
                None if rest.http2().is_some() => Stage::last(serve(rest, Sockets::unbound())),
                None => Stage::last(async move {
                    not_found(rest.unclaimed, &rest.handle.0.runtime).await;
                }),
            })
        }
    }
}
