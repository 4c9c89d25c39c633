//! The tokio adapter inside a foreign hyper server, which axum and tower use too.

#![allow(clippy::unwrap_used, unreachable_pub, dead_code)]

// Where the table is made, both of its users are there.
#[allow(clippy::duplicate_mod)]
mod taken;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use crossws_conformance::net::Local;
use crossws_conformance::{App, Fut, Http, Journal, Profile, Report, Server, Shutdown, Target};
use crossws_core::adapter::HttpService;
use crossws_core::{Capabilities, CloseCode, CloseFrame, Hub, Resolve};
use crossws_tokio::Acceptor;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// The tokio adapter's `Acceptor`.
pub struct Hyper;

impl Target for Hyper {
    fn name(&self) -> &str {
        "hyper"
    }

    fn capabilities(&self) -> Capabilities {
        crossws_tokio::CAPABILITIES
    }

    fn reads_heads(&self) -> bool {
        false
    }

    fn start(&self, profile: Profile) -> Fut<'_, Box<dyn Server>> {
        Box::pin(async move {
            let journal = Arc::new(Journal::default());
            let app = App::new(&journal).taking(taken::take);
            Box::new(start(app, profile.hub(), journal).await) as Box<dyn Server>
        })
    }
}

/// Generic, so that the compiler can tell that the server's future is `Send`.
async fn start<R: Resolve>(app: R, hub: Hub, journal: Arc<Journal>) -> Local {
    let http: Arc<dyn HttpService> = Arc::new(Http);
    hub.lend_http(&http);
    let acceptor = Acceptor::new(app, hub.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let accepting = acceptor.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, accepting.clone()));
        }
    });
    Local {
        addr,
        tls: None,
        http2: None,
        events: false,
        hub,
        journal,
        stop: Box::new(move |order: Shutdown| {
            let acceptor = acceptor.clone();
            // Owned here for as long as the server runs.
            let _ = &http;
            Box::pin(async move {
                let mut shutdown = crossws_tokio::Shutdown::default().grace(order.deadline);
                if let Some((code, reason)) = order.frame {
                    let code = CloseCode::new(code).unwrap();
                    shutdown = shutdown.frame(CloseFrame::new(code, reason));
                }
                let report = acceptor.shutdown(shutdown).await;
                Report {
                    closed: report.flushed + report.dropped,
                    forced: report.forced,
                }
            })
        }),
    }
}

async fn serve<R: Resolve>(stream: TcpStream, acceptor: Acceptor<R>) {
    let addr = stream.peer_addr().unwrap();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(addr);
        let acceptor = acceptor.clone();
        async move {
            Ok::<_, Infallible>(match acceptor.handle_upgrade(request).await {
                Ok(response) => response,
                Err(request) => plain(request).await,
            })
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.with_upgrades().await;
}

/// The application's HTTP service.
async fn plain(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes());
    App::http(&Request::from_parts(parts, body.unwrap_or_default())).map(Full::new)
}
