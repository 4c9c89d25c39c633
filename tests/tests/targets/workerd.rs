//! A built Worker in real workerd as a target: hooks in another process, which may sleep.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    dead_code
)]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use crossws_conformance::cases::Case;
use crossws_conformance::net::Port;
use crossws_conformance::{
    Client, Connected, Control, Entry, Event, Frame, Fut, Gone, Profile, Reply, Server, Target,
};
use crossws_core::Capabilities;
use http::{Request, Response};
use serde_json::{Value, json};

/// The header that names the stage of a request, the destination of commands, and the source of
/// sleep: see `tests/workerd`.
const STAGE: &str = "x-stage";
const CONTROL: &str = "/.control";
const EVICT: &str = "/.evict";

/// The pause before a journal without the awaited entries is read again.
const AGAIN: Duration = Duration::from_millis(2);

/// workerd, with the suite's Worker in it. One process serves all cases.
pub struct Workerd {
    process: Child,
    addr: SocketAddr,
    printed: Arc<Mutex<VecDeque<String>>>,
}

impl Workerd {
    /// Starts it with the Worker that `CROSSWS_WORKERD` names, or that `scripts/test workers` built.
    pub fn start() -> Self {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = || {
            let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
            let target = target.unwrap_or_else(|| tests.join("../target"));
            target.join("workers/suite")
        };
        let worker = std::env::var_os("CROSSWS_WORKERD").map_or_else(target, PathBuf::from);
        assert!(
            worker.join("index_bg.wasm").exists(),
            "there is no Worker in {}: scripts/test workers builds it",
            worker.display()
        );
        let mut process = Command::new("node")
            .arg(tests.join("workerd/workerd.mjs"))
            .arg(&worker)
            .args(["--object", "STAGE=StageObject", "--evictable"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("node");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.next().expect("an address").unwrap();
        let printed = Arc::<Mutex<VecDeque<String>>>::default();
        let kept = Arc::clone(&printed);
        std::thread::spawn(move || {
            // workerd prints a line for each sleep.
            let told = |line: &String| line != "Reinitializing Wasm application";
            for line in lines.map_while(Result::ok).filter(told) {
                let mut kept = kept.lock().unwrap();
                kept.push_back(line);
                if kept.len() > 100 {
                    kept.pop_front();
                }
            }
        });
        Self {
            process,
            addr: url.strip_prefix("http://").unwrap().parse().unwrap(),
            printed,
        }
    }

    /// Returns the last lines that workerd and the Worker printed.
    pub fn printed(&self) -> String {
        let printed = self.printed.lock().unwrap();
        printed.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Returns the Worker, in one of its modes.
    pub fn mode(&self, mode: Mode) -> OnWorkerd {
        OnWorkerd {
            port: match mode {
                Mode::Events => Port::on_a_platform(self.addr).for_events(),
                _ => Port::on_a_platform(self.addr),
            },
            mode,
            stages: AtomicUsize::new(0),
            sleeps: Arc::default(),
        }
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        // workerd ends with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How the Worker serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In a Durable Object.
    Object,
    /// In a Durable Object that sleeps before each step of a case.
    Asleep,
    /// In the Worker itself.
    Plain,
    /// In a Durable Object, over event streams and posts.
    Events,
    /// In a Durable Object that sleeps and loses its stored state.
    Forgetful,
}

/// A Worker in workerd.
pub struct OnWorkerd {
    port: Port,
    mode: Mode,
    stages: AtomicUsize,
    sleeps: Arc<Sleeps>,
}

/// How often it was put to sleep, and how often a busy object had to be spared.
#[derive(Debug, Default)]
pub struct Sleeps {
    pub slept: AtomicUsize,
    pub worked: AtomicUsize,
}

impl OnWorkerd {
    /// Returns how often it has slept so far.
    pub fn slept(&self) -> &Sleeps {
        &self.sleeps
    }
}

impl Target for OnWorkerd {
    fn name(&self) -> &str {
        match self.mode {
            Mode::Object => "durable object",
            Mode::Asleep => "asleep",
            Mode::Plain => "worker",
            Mode::Events => "workers, SSE",
            Mode::Forgetful => "forgetful",
        }
    }

    fn capabilities(&self) -> Capabilities {
        match self.mode {
            Mode::Plain => crossws_worker::PLAIN_CAPABILITIES,
            Mode::Events => crossws_worker::EVENT_CAPABILITIES.with(Capabilities::RETAINED),
            _ => crossws_worker::DURABLE_CAPABILITIES.with(Capabilities::RETAINED),
        }
    }

    fn reads_heads(&self) -> bool {
        false
    }

    fn excludes(&self, case: &Case) -> Option<&'static str> {
        let resolves_twice = self.mode == Mode::Events
            && (case.group, case.name) == ("upgrade", "hooks_are_resolved_once_per_connection");
        resolves_twice.then_some("the Worker resolves the hooks, and their object does")
    }

    fn reads_events(&self) -> bool {
        self.mode == Mode::Events
    }

    fn sleeps(&self) -> bool {
        matches!(self.mode, Mode::Asleep | Mode::Forgetful)
    }

    fn start(&self, profile: Profile) -> Fut<'_, Box<dyn Server>> {
        let number = self.stages.fetch_add(1, Ordering::Relaxed);
        let stage = json!({
            "id": format!("{} {number}", self.name()),
            "plain": self.mode == Mode::Plain,
            "events": self.mode == Mode::Events,
            "forgetful": self.mode == Mode::Forgetful,
            "profile": profile,
        });
        let server = Stage {
            port: self.port.clone(),
            header: stage.to_string(),
            plain: self.mode == Mode::Plain,
            bed: Bed {
                port: self.port.clone(),
                sleeps: Target::sleeps(self).then(|| Arc::clone(&self.sleeps)),
            },
        };
        Box::pin(async { Box::new(server) as Box<dyn Server> })
    }
}

/// The sleep before a case's steps.
#[derive(Clone)]
struct Bed {
    port: Port,
    /// `None` if the target does not sleep.
    sleeps: Option<Arc<Sleeps>>,
}

impl Bed {
    async fn sleep(&self) {
        let Some(sleeps) = &self.sleeps else {
            return;
        };
        let request = Request::get(EVICT).body(Bytes::new()).unwrap();
        let count = match &self.port.http(request).await.body()[..] {
            b"evicted" => &sleeps.slept,
            b"busy" => &sleeps.worked,
            other => panic!("{}", String::from_utf8_lossy(other)),
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

struct Stage {
    port: Port,
    header: String,
    plain: bool,
    bed: Bed,
}

impl Stage {
    async fn ask(&self, control: &Control) -> Reply {
        let request = Request::post(CONTROL)
            .header(STAGE, &self.header)
            .body(serde_json::to_vec(control).unwrap().into())
            .unwrap();
        let response = self.port.http(request).await;
        let body = response.body();
        let text = || String::from_utf8_lossy(body);
        assert_eq!(response.status(), 200, "{control:?}: {}", text());
        serde_json::from_slice(body).unwrap()
    }

    async fn entries(&self, who: &str) -> Vec<Entry> {
        let who = Some(who.to_owned());
        match self.ask(&Control::Entries { who }).await {
            Reply::Entries(entries) => entries,
            Reply::Value(value) => panic!("unexpected: {value}"),
        }
    }

    async fn wait(&self, who: &str, what: &str, count: usize) -> Reply {
        loop {
            let mut found = self.entries(who).await;
            found.retain(|entry| entry.what == what);
            if found.len() >= count {
                return Reply::Entries(found);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn idle(&self) -> Reply {
        while !matches!(
            self.ask(&Control::Idle).await,
            Reply::Value(Value::Bool(true))
        ) {
            tokio::time::sleep(AGAIN).await;
        }
        Reply::Value(Value::Null)
    }
}

impl Server for Stage {
    fn connect(
        &self,
        mut request: Request<()>,
    ) -> Fut<'_, Result<Connected, Option<Response<Bytes>>>> {
        Box::pin(async move {
            self.bed.sleep().await;
            let header = self.header.parse().unwrap();
            request.headers_mut().insert(STAGE, header);
            let connected = self.port.upgrade(request).await?;
            let client = Sleeper {
                client: connected.client,
                bed: self.bed.clone(),
            };
            Ok(Connected {
                client: Box::new(client),
                ..connected
            })
        })
    }

    fn control(&self, control: Control) -> Fut<'_, Reply> {
        Box::pin(async move {
            match control {
                // The journal is not part of the server: reading it is not a step.
                Control::Wait { who, what, count } => self.wait(&who, &what, count).await,
                Control::Entries { .. } | Control::Release { .. } => self.ask(&control).await,
                Control::Idle if self.plain => self.idle().await,
                _ => {
                    self.bed.sleep().await;
                    self.ask(&control).await
                }
            }
        })
    }

    fn http(&self, mut request: Request<Bytes>) -> Fut<'_, Response<Bytes>> {
        Box::pin(async move {
            self.bed.sleep().await;
            let header = self.header.parse().unwrap();
            request.headers_mut().insert(STAGE, header);
            self.port.http(request).await
        })
    }

    fn advance(&self, time: Duration) -> Fut<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// A client that lets its server sleep before it sends something.
struct Sleeper {
    client: Box<dyn Client>,
    bed: Bed,
}

impl Client for Sleeper {
    fn send(&mut self, frame: Frame) -> Fut<'_, Result<(), Gone>> {
        Box::pin(async move {
            self.bed.sleep().await;
            self.client.send(frame).await
        })
    }

    fn next(&mut self) -> Fut<'_, Event> {
        self.client.next()
    }

    fn acknowledged(&mut self) -> Fut<'_, bool> {
        self.client.acknowledged()
    }

    fn vanish(self: Box<Self>) {
        self.client.vanish();
    }
}
