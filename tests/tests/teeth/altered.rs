//! Real adapters with a fault.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use crossws_conformance::{
    Ask, Client, Connected, Control, Do, Event, Frame, Fut, Gone, Profile, Raw, Reply, Report,
    Server, Shutdown, Target,
};
use crossws_core::{Capabilities, UpgradeRequest};
use http::{Request, Response, StatusCode};

use super::faults::Fault;

/// A target that behaves like another, except for a fault.
pub struct Altered<T> {
    pub target: T,
    pub fault: Fault,
}

impl<T: Target> Target for Altered<T> {
    fn name(&self) -> &str {
        self.target.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.target.capabilities()
    }

    fn start(&self, mut profile: Profile) -> Fut<'_, Box<dyn Server>> {
        const LONG: Option<Duration> = Some(Duration::from_secs(3600));
        match self.fault {
            Fault::NeverPings => {
                profile.ping_interval = None;
                profile.idle_timeout = LONG;
            }
            Fault::NeverGivesUp => {
                profile.pong_timeout = LONG;
                profile.idle_timeout = LONG;
            }
            Fault::IgnoresItsLimits => {
                profile = Profile {
                    overflow: profile.overflow,
                    origin: profile.origin,
                    ..Profile::default()
                };
            }
            Fault::LivesForEver => profile.max_lifetime = None,
            Fault::WaitsForEverForAClose => profile.close_timeout = LONG,
            Fault::WaitsForEverForAQueue => profile.max_queue_age = LONG,
            _ => {}
        }
        Box::pin(async move {
            let server = self.target.start(profile).await;
            let fault = self.fault;
            Box::new(AlteredServer { server, fault }) as Box<dyn Server>
        })
    }
}

struct AlteredServer {
    server: Box<dyn Server>,
    fault: Fault,
}

impl Server for AlteredServer {
    fn connect(
        &self,
        mut request: Request<()>,
    ) -> Fut<'_, Result<Connected, Option<Response<Bytes>>>> {
        if self.fault == Fault::LetsCredentialsLiveForEver {
            let parts = request.clone().into_parts().0;
            let mut ask = Ask::of(&UpgradeRequest::new(parts));
            ask.expires = None;
            *request.uri_mut() = ask.target(request.uri().path()).parse().unwrap();
        }
        Box::pin(async {
            let mut connected = self.server.connect(request).await?;
            connected.client = Box::new(AlteredClient {
                client: connected.client,
                fault: self.fault,
                timers: HashSet::new(),
            });
            Ok(connected)
        })
    }

    fn control(&self, control: Control) -> Fut<'_, Reply> {
        self.server.control(control)
    }

    fn http(&self, request: Request<Bytes>) -> Fut<'_, Response<Bytes>> {
        self.server.http(request)
    }

    fn raw(&self) -> Fut<'_, Box<dyn Raw>> {
        Box::pin(async {
            let raw = self.server.raw().await;
            let fault = self.fault;
            Box::new(AlteredRaw { raw, fault }) as Box<dyn Raw>
        })
    }

    fn advance(&self, time: Duration) -> Fut<'_, ()> {
        self.server.advance(time)
    }

    fn shutdown(&self, order: Shutdown) -> Fut<'_, Report> {
        self.server.shutdown(order)
    }
}

/// A client whose renewals do not arrive.
/// Says other scripts than it is told to, for which a broken adapter would do what it was told.
struct AlteredClient {
    client: Box<dyn Client>,
    fault: Fault,
    /// Those that it has set.
    timers: HashSet<String>,
}

impl AlteredClient {
    fn distort(&mut self, command: Do) -> Option<Do> {
        const NEVER: u64 = 1 << 40;
        Some(match (self.fault, command) {
            (Fault::ForgetsRenewals, Do::Renew { .. }) => {
                let topic = "something else that is answered".to_owned();
                Do::Subscribe { topic }
            }
            (Fault::ForgetsTimers, Do::SetTimer { .. }) => {
                let (name, millis) = ("lost".to_owned(), NEVER);
                Do::SetTimer { name, millis }
            }
            (Fault::TellsTimersAtOnce, Do::SetTimer { name, .. }) => {
                Do::SetTimer { name, millis: 0 }
            }
            (Fault::KeepsTheOldTimer, Do::SetTimer { name, millis }) => {
                match self.timers.insert(name.clone()) {
                    true => Do::SetTimer { name, millis },
                    false => Do::SetTimer {
                        name: "another".to_owned(),
                        millis,
                    },
                }
            }
            (Fault::KeepsClearedTimers, Do::ClearTimer { .. }) => {
                let name = "another".to_owned();
                Do::ClearTimer { name }
            }
            (Fault::RunsTimersBesideHooks, Do::Wait { .. }) => return None,
            (Fault::NeverTicks, Do::Ticks { .. }) => Do::Ticks { millis: NEVER },
            (_, command) => command,
        })
    }
}

impl Client for AlteredClient {
    fn send(&mut self, frame: Frame) -> Fut<'_, Result<(), Gone>> {
        let frame = match frame {
            Frame::Text(text) => match serde_json::from_str::<Vec<Do>>(&text) {
                Ok(script) => {
                    let script = script.into_iter();
                    let script: Vec<_> = script.filter_map(|it| self.distort(it)).collect();
                    Frame::Text(Do::script(&script))
                }
                Err(_) => Frame::Text(text),
            },
            other => other,
        };
        self.client.send(frame)
    }

    fn next(&mut self) -> Fut<'_, Event> {
        self.client.next()
    }

    fn vanish(self: Box<Self>) {
        self.client.vanish();
    }
}

struct AlteredRaw {
    raw: Box<dyn Raw>,
    fault: Fault,
}

impl Raw for AlteredRaw {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Fut<'a, Result<(), Gone>> {
        self.raw.write(bytes)
    }

    fn response(&mut self) -> Fut<'_, Option<Response<Bytes>>> {
        Box::pin(async {
            let mut response = match self.raw.response().await {
                None if self.fault == Fault::AnswersBehindARefusal => Response::new(Bytes::new()),
                response => response?,
            };
            let is_400 = response.status() == StatusCode::BAD_REQUEST;
            if is_400 && self.fault == Fault::AnswersNoRequestWith400 {
                *response.status_mut() = StatusCode::OK;
            }
            if self.fault == Fault::AnswersEveryRequestWith400 {
                *response.status_mut() = StatusCode::BAD_REQUEST;
            }
            if self.fault == Fault::ForgetsWhichVersionItSpeaks {
                response.headers_mut().remove("sec-websocket-version");
            }
            if self.fault == Fault::NegotiatesInSilence {
                response.headers_mut().remove("sec-websocket-extensions");
            }
            Some(response)
        })
    }

    fn frame(&mut self) -> Fut<'_, Event> {
        Box::pin(async {
            match self.raw.frame().await {
                Event::Close(_) if self.fault == Fault::LosesItsLastFrame => Event::Cut,
                Event::Close(_) if self.fault == Fault::ClosesWithTheWrongCode => {
                    Event::Close(Some((1000, String::new())))
                }
                Event::Compressed(_) if self.fault == Fault::CompressesNothing => {
                    Event::Text("[]".to_owned())
                }
                other => other,
            }
        })
    }

    fn finish(&mut self) -> Fut<'_, ()> {
        self.raw.finish()
    }
}
