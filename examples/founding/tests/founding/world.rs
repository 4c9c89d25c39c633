//! The platforms that the app runs on: one world for each.

use std::time::Duration;

use bytes::Bytes;
use crossws::SharedResolver;
use crossws_conformance::{Connected, Fut, Raw};
use http::{Request, Response};

/// The app on a platform.
pub(crate) trait World {
    /// Requests a WebSocket. The error is the refusal.
    fn connect(&self, request: Request<()>) -> Fut<'_, Result<Connected, Response<Bytes>>>;

    /// Sends a request to the app's HTTP.
    fn http(&self, request: Request<Bytes>) -> Fut<'_, Response<Bytes>>;

    /// Sends a request whose response has no end.
    fn stream(&self, request: Request<Bytes>) -> Fut<'_, Response<Box<dyn Chunks>>>;

    /// Opens a connection for raw bytes, if the platform has sockets.
    fn raw(&self) -> Option<Fut<'_, Box<dyn Raw>>> {
        None
    }

    /// Lets time pass: virtual time if the platform has it.
    fn sleep(&self, time: Duration) -> Fut<'_, ()>;

    /// Returns the time since a fixed moment.
    fn now(&self) -> Duration;
}

/// A response's body, as it arrives. Dropping it is a client that goes.
pub(crate) trait Chunks {
    /// Returns the next bytes, or `None` at the end.
    fn next(&mut self) -> Fut<'_, Option<Bytes>>;
}

/// A check, or several, in a world.
pub(crate) type Check = for<'a> fn(&'a dyn World) -> Fut<'a, ()>;

/// The app, for a server and for the streams of clients without WebSockets.
fn app() -> SharedResolver {
    SharedResolver::new(founding::app().merge(founding::native()))
}

fn block_on(check: impl Future<Output = ()>) {
    ::tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            // Longer than anything here takes, also if it runs again.
            let deadline = Duration::from_secs(120);
            ::tokio::time::timeout(deadline, check).await.unwrap();
        });
}

/// Servers that are reached over TCP.
mod net {
    use std::net::SocketAddr;
    use std::time::Instant;

    use crossws_conformance::net::{Port, Streamed};

    use super::*;

    pub(super) struct Net {
        port: Port,
        began: Instant,
    }

    impl Net {
        pub(super) fn new(addr: SocketAddr) -> Self {
            Self {
                port: Port::new(addr),
                began: Instant::now(),
            }
        }

        pub(super) fn on_a_platform(addr: SocketAddr) -> Self {
            Self {
                port: Port::on_a_platform(addr),
                began: Instant::now(),
            }
        }
    }

    impl Chunks for Streamed {
        fn next(&mut self) -> Fut<'_, Option<Bytes>> {
            Box::pin(Streamed::next(self))
        }
    }

    impl World for Net {
        fn connect(&self, request: Request<()>) -> Fut<'_, Result<Connected, Response<Bytes>>> {
            Box::pin(async move { self.port.upgrade(request).await.map_err(Option::unwrap) })
        }

        fn http(&self, request: Request<Bytes>) -> Fut<'_, Response<Bytes>> {
            Box::pin(self.port.http(request))
        }

        fn stream(&self, request: Request<Bytes>) -> Fut<'_, Response<Box<dyn Chunks>>> {
            Box::pin(async move {
                let response = self.port.stream(request).await;
                response.map(|body| Box::new(body) as Box<dyn Chunks>)
            })
        }

        fn raw(&self) -> Option<Fut<'_, Box<dyn Raw>>> {
            Some(Box::pin(self.port.raw()))
        }

        fn sleep(&self, time: Duration) -> Fut<'_, ()> {
            Box::pin(::tokio::time::sleep(time))
        }

        fn now(&self) -> Duration {
            self.began.elapsed()
        }
    }
}

pub(crate) mod tokio {
    use crossws::Hub;
    use crossws::tokio::Server;

    use super::net::Net;
    use super::*;

    pub(crate) fn run(check: Check) {
        block_on(async {
            let hub = Hub::default();
            let app = app();
            let server = Server::builder(app.clone())
                .hub(hub.clone())
                .http(founding::http(app, hub))
                .bind("127.0.0.1:0")
                .await
                .unwrap();
            let world = Net::new(server.local_addr());
            ::tokio::spawn(server.run());
            check(&world).await;
        });
    }
}

pub(crate) mod smol {
    use crossws::Hub;
    use crossws::smol::Server;

    use super::net::Net;
    use super::*;

    pub(crate) fn run(check: Check) {
        block_on(async {
            let hub = Hub::default();
            let app = app();
            let server = Server::builder(app.clone())
                .hub(hub.clone())
                .http(founding::http(app, hub))
                .bind("127.0.0.1:0")
                .await
                .unwrap();
            let world = Net::new(server.local_addr());
            ::smol::spawn(server.run()).detach();
            check(&world).await;
        });
    }
}

pub(crate) mod memory {
    use crossws::Body;
    use crossws::Hub;
    use crossws::memory::TestServer;
    use http_body_util::BodyExt;

    use super::*;
    use crate::memory_target;

    struct Memory(TestServer);

    impl Chunks for Body {
        fn next(&mut self) -> Fut<'_, Option<Bytes>> {
            Box::pin(async move {
                let frame = self.frame().await?.unwrap();
                Some(frame.into_data().unwrap())
            })
        }
    }

    impl World for Memory {
        fn connect(&self, request: Request<()>) -> Fut<'_, Result<Connected, Response<Bytes>>> {
            Box::pin(async move {
                let connected = self.0.connect_with(request).await;
                let connected = connected.map(memory_target::client);
                connected.map_err(|refusal| refusal.into_response())
            })
        }

        fn http(&self, request: Request<Bytes>) -> Fut<'_, Response<Bytes>> {
            let (parts, body) = request.into_parts();
            Box::pin(async move {
                let mut request = self.0.request(parts.method, parts.uri.to_string());
                for (name, value) in &parts.headers {
                    request = request.header(name, value);
                }
                request.body(body).await.unwrap().into_response()
            })
        }

        fn stream(&self, request: Request<Bytes>) -> Fut<'_, Response<Box<dyn Chunks>>> {
            Box::pin(async move {
                let (parts, body) = request.into_parts();
                let mut request = self.0.request(parts.method, parts.uri.to_string());
                for (name, value) in &parts.headers {
                    request = request.header(name, value);
                }
                let response = request.body(body).stream().await.unwrap();
                response.map(|body| Box::new(body) as Box<dyn Chunks>)
            })
        }

        fn sleep(&self, time: Duration) -> Fut<'_, ()> {
            Box::pin(async move {
                // Meanwhile clients read and reply.
                let until = self.0.now() + time;
                while let Some(left) = until
                    .checked_sub(self.0.now())
                    .filter(|left| !left.is_zero())
                {
                    self.0.advance(left.min(Duration::from_millis(5))).await;
                    ::tokio::task::yield_now().await;
                }
            })
        }

        fn now(&self) -> Duration {
            self.0.now()
        }
    }

    /// The app, in an order of hooks that a seed decides.
    pub(crate) fn server(seed: Option<u64>) -> TestServer {
        let hub = Hub::default();
        let app = app();
        let builder = TestServer::builder(app.clone())
            .hub(hub.clone())
            .http(founding::http(app, hub));
        match seed {
            Some(seed) => builder.seed(seed).build(),
            None => builder.build(),
        }
    }

    pub(crate) fn run(check: Check) {
        block_on(async { check(&Memory(server(None))).await });
    }
}

pub(crate) mod workerd {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::net::Net;
    use super::*;

    /// Returns whether the platform supports a check: Workers do their own pings and compression, a
    /// loop does not outlast an object's sleep, and a Worker does not share memory with its objects.
    pub(crate) fn can(check: &str) -> bool {
        let native = ["time::", "loops::"]
            .iter()
            .any(|group| check.starts_with(group));
        let shares = [
            "cleans_up_once",
            "when_the_client_goes",
            // The platform tells of a client that has gone only when two more events were written.
            "without_a_stream_the_connection_ends",
        ]
        .iter()
        .any(|end| check.ends_with(end));
        !native && !shares
    }

    pub(crate) fn run(check: Check) {
        let worker = std::env::var_os("CROSSWS_FOUNDING").unwrap();
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/workerd/workerd.mjs"
        );
        let mut server = Server(
            Command::new("node")
                .arg(script)
                .arg(worker)
                .args(["--object", "APP=App"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
        // Before the address, the Worker prints what it leaves out.
        let addr = lines.find_map(|line| line.unwrap().strip_prefix("http://")?.parse().ok());
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| println!("{line}"));
        });
        block_on(async { check(&Net::on_a_platform(addr.unwrap())).await });
    }

    /// workerd. It ends when this is dropped.
    struct Server(Child);

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
