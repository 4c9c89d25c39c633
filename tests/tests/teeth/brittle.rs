//! The smallest adapter that works, and can be broken on purpose.
//!
//! It has no sockets: a client takes its events out of the transport's queue, and its own frames go
//! through a channel to one task per connection.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use crossws_app::rooms::{Allow, rooms};
use crossws_conformance::{
    App, Connected, Control, Fut, Http, Journal, Profile, Reply, Report, Server, Shutdown, Target,
};
use crossws_core::adapter::{ClaimError, HttpService};
use crossws_core::{
    BeforeUpgrade, BoxFuture, Capabilities, CloseCode, CloseFrame, DynHooks, Hub, Params,
    Rejection, Resolution, Resolve, Route, UpgradeRequest, hooks,
};
use http::header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use http::{Request, Response, StatusCode};
use tokio::sync::mpsc;

use super::faults::Fault;
use super::pipe::{BrittleClient, EachMessage, Pipe, Wire};
use super::pump;
use super::wrapper::Wrapper;

/// The adapter, with at most one fault.
pub struct Brittle {
    /// The fault.
    pub fault: Option<Fault>,
    /// Its capabilities: `pump::CAPABILITIES`, or less.
    pub capabilities: Capabilities,
}

impl Target for Brittle {
    fn name(&self) -> &str {
        "the brittle adapter"
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn start(&self, mut profile: Profile) -> Fut<'_, Box<dyn Server>> {
        profile.topic_overflow &= self.fault != Some(Fault::ForgetsTopicPolicies);
        let journal = Arc::new(Journal::default());
        let probe = crossws_conformance::Probe::new(Arc::clone(&journal));
        let mut hooks: Arc<dyn DynHooks> = Arc::new(probe);
        if let Some(fault) = self.fault {
            hooks = Arc::new(Wrapper::new(hooks, fault));
        }
        let mut hub = profile.hub();
        let is_whole = self.capabilities.contains(Capabilities::ROUTES);
        if !is_whole && self.fault != Some(Fault::SendsToAPartOfARoute) {
            hub = profile.hub_builder().partial().build();
        }
        let http: Arc<dyn HttpService> = Arc::new(Http);
        if self.fault != Some(Fault::HasNoHttpService) {
            hub.lend_http(&http);
        }
        let server = BrittleServer {
            app: Arc::new(Skewed {
                app: Arc::new(App::with(&journal, hooks)),
                fault: self.fault,
            }),
            hub,
            _http: http,
            journal,
            fault: self.fault,
            capabilities: self.capabilities,
            namespaces: Mutex::default(),
        };
        Box::pin(async { Box::new(server) as Box<dyn Server> })
    }
}

/// The probe passes no upgrade on.
fn rejected(refused: ClaimError) -> Rejection {
    match refused {
        ClaimError::Rejected(rejection) => rejection,
        other => panic!("{other}"),
    }
}

/// The application, with routes that lose a part of their effect.
struct Skewed {
    app: Arc<App>,
    fault: Option<Fault>,
}

impl Resolve for Skewed {
    type Hooks = dyn DynHooks;

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<dyn DynHooks> {
        if self.fault == Some(Fault::LetsClientsDoAnything) && request.path().ends_with("/rooms") {
            let anything = rooms(hooks()).allow("**", Allow::Both).allow_pattern("**");
            return Route::new(Arc::new(anything) as Arc<dyn DynHooks>).into();
        }
        let route = match self.app.resolve(request).await {
            Resolution::Route(route) => route,
            other => return other,
        };
        match self.fault {
            Some(Fault::DropsRouteParameters) => route.params(Params::default()),
            Some(Fault::ForgetsRouteSettings) => route.settings(&Arc::default()),
            Some(Fault::SkipsLayers) => route.before(Arc::new(Nothing)),
            _ => route,
        }
        .into()
    }
}

/// Layers that accept every request.
struct Nothing;

impl BeforeUpgrade for Nothing {
    fn run<'a>(&'a self, _: &'a mut UpgradeRequest) -> BoxFuture<'a, Result<(), Rejection>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

struct BrittleServer {
    app: Arc<Skewed>,
    hub: Hub,
    _http: Arc<dyn HttpService>,
    journal: Arc<Journal>,
    fault: Option<Fault>,
    capabilities: Capabilities,
    /// All namespaces that ever existed. Only a fault uses it.
    namespaces: Mutex<BTreeSet<String>>,
}

impl BrittleServer {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Returns a 101 without a connection.
    fn hollow(&self) -> Connected {
        let pipe = Arc::new(Pipe::new(
            self.capabilities,
            self.hub.limits().clone(),
            None,
        ));
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let client = BrittleClient {
            pipe,
            inbound: mpsc::unbounded_channel().0,
            lifeline: None,
            fault: None,
            each_message: None,
        };
        Connected {
            response,
            client: Box::new(client),
        }
    }

    async fn upgrade(&self, request: Request<()>) -> Result<Connected, Response<Bytes>> {
        let (mut parts, ()) = request.into_parts();
        let offered = parts.headers.get(SEC_WEBSOCKET_PROTOCOL).cloned();
        if self.is(Fault::AdmitsEveryOrigin) {
            parts.headers.remove(ORIGIN);
        }
        if self.is(Fault::HidesHeadersFromTheHook) {
            parts.headers.remove("x-test");
        }
        if self.is(Fault::DecodesPathsSomehow) {
            parts.uri = parts.uri.to_string().replace("%FF", "x").parse().unwrap();
        }
        let addr = (!self.is(Fault::HidesTheAddress)).then(|| ([127, 0, 0, 1], 1000).into());
        let request = UpgradeRequest::new(parts).with_remote_addr(addr);
        let again = request.clone();
        let claim = match self.hub.claim(&self.app, request).await {
            Ok(claim) => claim,
            Err(ClaimError::NotHandled(request)) if self.is(Fault::UpgradesUnclaimedRoutes) => {
                let (mut parts, query) = (request.parts().clone(), request.query());
                let target = format!("/elsewhere?{}", query.unwrap_or_default());
                parts.uri = target.parse().unwrap();
                let request = UpgradeRequest::new(parts).with_remote_addr(addr);
                self.hub.claim(&self.app, request).await.unwrap()
            }
            Err(ClaimError::NotHandled(request)) => {
                if self.is(Fault::ForgetsTheRequest) {
                    return Err(App::http(&Request::new(Bytes::new())));
                }
                let request = Request::from_parts(request.into_parts(), Bytes::new());
                return Err(App::http(&request));
            }
            Err(ClaimError::Rejected(rejection)) => return Err(rejection.into_response()),
            Err(other) => panic!("{other:?}"),
        };
        let deadline = match self.fault {
            Some(Fault::LetsUpgradesTakeForever) => Duration::from_secs(3600),
            _ => claim.deadline(),
        };
        let accepted = match tokio::time::timeout(deadline, claim.upgrade()).await {
            Ok(Err(_)) if self.is(Fault::AcceptsBeforeTheHookAnswers) => {
                return Ok(self.hollow());
            }
            Ok(accepted) => accepted
                .map_err(rejected)
                .map_err(|rejection| match self.fault {
                    Some(Fault::RefusesWithABareStatus) => {
                        let mut response = Response::new(Bytes::new());
                        *response.status_mut() = rejection.status();
                        response
                    }
                    Some(Fault::TellsErrorsToTheClient) => {
                        let error = rejection.source().map(ToString::to_string);
                        rejection
                            .into_response()
                            .map(|body| error.map_or(body, Bytes::from))
                    }
                    _ => rejection.into_response(),
                })?,
            Err(_) => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                return Err(response);
            }
        };
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = accepted.headers().clone();
        if self.is(Fault::DropsTheAnswersHeaders) {
            response.headers_mut().clear();
        }
        if self.is(Fault::LosesRepeatedHeaders) {
            let all = std::mem::take(response.headers_mut());
            for name in all.keys() {
                response.headers_mut().insert(name, all[name].clone());
            }
        }
        if let Some(offered) = offered
            && self.is(Fault::EchoesTheOfferedSubprotocol)
        {
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, offered);
        }
        let pipe = Arc::new(Pipe::new(
            self.capabilities,
            accepted.settings().limits.clone(),
            self.fault,
        ));
        let (inbound, received) = mpsc::unbounded_channel();
        let wire = Wire(Arc::clone(&pipe), inbound.clone());
        let joined = accepted.join(wire).map_err(|frame| {
            let mut response = Response::new(frame.reason().as_bytes().clone());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        })?;
        let client = BrittleClient {
            pipe: Arc::clone(&pipe),
            inbound,
            lifeline: Some(joined.lifeline()),
            fault: self.fault,
            each_message: self.is(Fault::ResolvesEveryMessage).then(|| {
                let app = Arc::clone(&self.app);
                Box::new(move || {
                    let (app, mut again) = (Arc::clone(&app), again.clone());
                    Box::pin(async move { drop(app.resolve(&mut again).await) }) as Fut<'static, ()>
                }) as EachMessage
            }),
        };
        pump::spawn(joined, pipe, received, self.fault);
        Ok(Connected {
            response,
            client: Box::new(client),
        })
    }
}

impl Server for BrittleServer {
    fn connect(&self, request: Request<()>) -> Fut<'_, Result<Connected, Option<Response<Bytes>>>> {
        Box::pin(async move { self.upgrade(request).await.map_err(Some) })
    }

    fn control(&self, control: Control) -> Fut<'_, Reply> {
        let one = Some("/one".to_owned());
        let control = match (self.fault, control) {
            (
                Some(Fault::PublishesFromOutsideEverywhere),
                Control::Publish {
                    topic,
                    text,
                    retained,
                    ..
                },
            ) => {
                let namespace = None;
                Control::Publish {
                    namespace,
                    topic,
                    text,
                    retained,
                }
            }
            (
                Some(Fault::PublishesFromOutsideToOneOnly),
                Control::Publish {
                    namespace,
                    topic,
                    text,
                    retained,
                },
            ) => {
                let namespace = namespace.or(one);
                Control::Publish {
                    namespace,
                    topic,
                    text,
                    retained,
                }
            }
            (Some(Fault::ClosesEveryNamespace), Control::CloseAll { code, reason, .. }) => {
                let namespace = None;
                Control::CloseAll {
                    namespace,
                    code,
                    reason,
                }
            }
            (Some(Fault::SendsByIdToEveryone), Control::Send { text, .. }) => {
                let _ = self.hub.in_all_namespaces().broadcast(text);
                return Box::pin(std::future::ready(Reply::Value(true.into())));
            }
            (_, other) => other,
        };
        let keeps = self.is(Fault::KeepsNamespacesForEver);
        let asks = matches!(control, Control::Namespaces);
        Box::pin(async move {
            let reply = control.apply(&self.hub, &self.journal).await;
            if keeps {
                let mut seen = self.namespaces.lock().unwrap();
                seen.extend(self.hub.namespaces().iter().map(ToString::to_string));
                if asks {
                    return Reply::Value(serde_json::json!(*seen));
                }
            }
            reply
        })
    }

    fn http(&self, request: Request<Bytes>) -> Fut<'_, Response<Bytes>> {
        Box::pin(async move { App::http(&request) })
    }

    fn advance(&self, time: Duration) -> Fut<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn shutdown(&self, order: Shutdown) -> Fut<'_, Report> {
        Box::pin(async move {
            let frame = match order.frame {
                Some((code, reason)) => CloseFrame::new(CloseCode::new(code).unwrap(), reason),
                None => CloseFrame::from(CloseCode::RESTART),
            };
            let all = self.hub.stats().sessions;
            if self.is(Fault::StopsWithoutAWord) {
                for peer in self.hub.peers() {
                    peer.terminate();
                }
            }
            if self.is(Fault::GoesOnAccepting) {
                self.hub.in_all_namespaces().close_all(frame);
            } else {
                self.hub.shutdown(frame);
            }
            if self.is(Fault::DoesNotWaitForCloseHooks) {
                return Report {
                    closed: all,
                    forced: 0,
                };
            }
            let deadline = match self.fault {
                Some(Fault::IgnoresTheGrace) => Duration::from_secs(3600),
                _ => order.deadline,
            };
            let forced = match tokio::time::timeout(deadline, self.hub.idle()).await {
                Ok(()) => 0,
                Err(_) => self.hub.stats().sessions,
            };
            Report {
                closed: all - forced,
                forced,
            }
        })
    }
}
