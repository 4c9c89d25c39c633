//! Measures what clients observe of a deploy, and of a server that was stopped for a while.
//!
//! ```sh
//! cargo run --release -p crossws-bench --bin deploys            # 10,000 peers, 20 s without a processor
//! cargo run --release -p crossws-bench --bin deploys short      # the same with less of everything
//! ```
//!
//! *Deploy*: the server publishes to its rooms and receives SIGTERM. Every message that it has
//! accepted for a client that reads must arrive before the close frame, with and without a spread.
//! With a spread, no second has more than its share of the closes.
//! *Suspended*: the server's process is stopped for longer than the ping timeout, and then
//! continues. No client that has answered its pings may be dropped.

mod client;
mod server;

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use self::client::{Client, End};

/// The server, in a process of its own. It ends when this is dropped.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start(args: &[String]) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or(ErrorKind::BrokenPipe)?;
        let mut output = BufReader::new(child.stdout.take().ok_or(ErrorKind::BrokenPipe)?);
        let address = line(&mut output)?.parse().map_err(io::Error::other)?;
        Ok(Self {
            child,
            input,
            output,
            address,
        })
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status()?;
        status
            .success()
            .then_some(())
            .ok_or(ErrorKind::Other.into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(output: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

async fn connect(server: &Server, peers: usize) -> io::Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(peers);
    for number in 0..peers {
        clients.push(Client::connect(server.address, number).await?);
    }
    Ok(clients)
}

/// Runs one deploy. Returns whether nothing was lost and no second had more than `most` times its
/// share of the closes.
async fn deploy(peers: usize, rate: usize, spread: Duration, most: f64) -> io::Result<bool> {
    let mut server = Server::start(&[rate.to_string(), spread.as_millis().to_string()])?;
    let clients = connect(&server, peers).await?;
    let running: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(client.run()))
        .collect();
    server.input.write_all(b"go\n")?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let start = Instant::now();
    server.signal("TERM")?;
    let (mut received, mut unclean) = (0, 0);
    let mut closes = BTreeMap::<u64, usize>::new();
    for client in running {
        let End {
            messages,
            close,
            at,
        } = client.await.map_err(io::Error::other)?;
        received += messages;
        unclean += usize::from(close != Some(1012));
        *closes
            .entry(at.duration_since(start).as_secs())
            .or_default() += 1;
    }
    let took = start.elapsed();
    let report = line(&mut server.output)?;
    let accepted: u64 = line(&mut server.output)?
        .parse()
        .map_err(io::Error::other)?;
    let busiest = closes.values().max().copied().unwrap_or(0);
    let part = 100.0 * busiest as f64 / peers as f64;
    let bound = match spread.as_secs() {
        0 => 100.0,
        seconds => most * 100.0 / seconds as f64,
    };
    let good = received == accepted && unclean == 0 && part <= bound;
    println!(
        "{} deploy: {peers} peers, {rate} messages a second, spread {spread:?}: {took:.2?}, {report}; \
         {accepted} accepted, {received} received; {unclean} without 1012; \
         {part:.1} % of the closes in the busiest second, of {bound:.1} at most",
        verdict(good)
    );
    Ok(good)
}

/// Stops the server's process once. Returns whether no client was dropped.
async fn suspended(peers: usize, stopped: Duration) -> io::Result<bool> {
    let server = Server::start(&[
        "0".to_owned(),
        "0".to_owned(),
        stopped.as_millis().to_string(),
    ])?;
    let clients = connect(&server, peers).await?;
    let running: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(client.run()))
        .collect();
    // Clients answer several pings before the stop, and more are due after it.
    tokio::time::sleep(stopped / 2).await;
    server.signal("STOP")?;
    tokio::time::sleep(stopped).await;
    server.signal("CONT")?;
    tokio::time::sleep(stopped).await;
    let dropped = running.iter().filter(|client| client.is_finished()).count();
    println!(
        "{} suspended: {peers} peers, for {stopped:?}, pings every {:?} and answers within {:?}: {dropped} dropped",
        verdict(dropped == 0),
        stopped / 8,
        stopped / 2,
    );
    Ok(dropped == 0)
}

fn verdict(good: bool) -> &'static str {
    if good { "ok     " } else { "FAILED " }
}

async fn all(short: bool) -> io::Result<bool> {
    // On a busy machine, one of five seconds may also get another second's closes.
    let (peers, rate, spread, most, stopped, runs) = match short {
        true => (1000, 500, 5, 2.0, 4, 1),
        false => (10_000, 5000, 30, 1.2, 20, 3),
    };
    let mut good = true;
    for spread in [0, spread] {
        good &= deploy(peers, rate, Duration::from_secs(spread), most).await?;
    }
    for _ in 0..runs {
        good &= suspended(200, Duration::from_secs(stopped)).await?;
    }
    Ok(good)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = match args.first().map(String::as_str) {
        Some("serve") => tokio::runtime::Runtime::new(),
        _ => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
    };
    let ended = runtime.and_then(|runtime| match args.split_first() {
        // A child process: this process is the server.
        Some((serve, args)) if serve == "serve" => {
            runtime.block_on(server::run(args)).map(|()| true)
        }
        _ => runtime.block_on(all(args.iter().any(|arg| arg == "short"))),
    });
    match ended {
        Ok(good) => ExitCode::from(u8::from(!good)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
