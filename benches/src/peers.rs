//! The servers that take part, and how each is started.

use std::io;
use std::path::{Path, PathBuf};

use crate::certificate;
use crate::load::Framing;
use crate::process::Launch;
use crate::row::Who;

/// The core of the server, in the rows in which it does not have all cores.
pub(crate) const SERVER_CORE: usize = 0;
/// The core of the load generator.
pub(crate) const LOAD_CORE: usize = 1;

/// A server.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) launch: Launch,
    pub(crate) cores: &'static [usize],
    pub(crate) framing: Framing,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// crossws on tokio, which the bounds apply to.
    Ours,
    /// Another project's server, or crossws on another runtime.
    Server,
    /// The epoll loop of chats.
    Floor,
    /// The echo of bytes.
    Tcp,
    /// crossws on tokio, for the rows about threads.
    Threads,
    /// An encrypted server.
    Tls,
    /// A server of WebSockets over HTTP/2.
    Http2,
    /// crossws on tokio, with all mechanisms or without one.
    Without,
    /// The same on two threads.
    WithoutOnTwo,
}

impl Peer {
    /// Returns whether the server supports the work of a row.
    pub(crate) fn takes_part(&self, who: Who) -> bool {
        match self.kind {
            Kind::Ours => who.is_compared() || who.is_scale(),
            Kind::Server if who.is_scale() => {
                who != Who::Topics && matches!(self.name, "bun" | "uws")
            }
            Kind::Server => who.is_compared(),
            Kind::Floor => who.is_compared() || who == Who::ScaleOfRoom,
            Kind::Tcp => who == Who::Echoes,
            Kind::Threads => who == Who::Threads,
            Kind::Tls => who == Who::Tls,
            Kind::Http2 => who == Who::Http2,
            Kind::Without => who == Who::Without,
            Kind::WithoutOnTwo => who == Who::WithoutOnTwo,
        }
    }

    /// Returns whether it is a program of this crate.
    pub(crate) fn is_of_this_crate(&self) -> bool {
        let foreign = matches!(self.kind, Kind::Server | Kind::Tls | Kind::Http2);
        !foreign || self.name.starts_with("ours")
    }

    /// Returns whether it is a WebSocket server and not a floor.
    pub(crate) fn is_server(&self) -> bool {
        self.kind == Kind::Server
    }

    /// Returns whether everything that starts it is installed.
    pub(crate) fn is_installed(&self) -> bool {
        let has = |path: &Path| path.components().count() == 1 || path.exists();
        has(&self.launch.program) && self.launch.args.iter().all(|arg| has(arg))
    }
}

/// Returns all servers, in the table's order.
pub(crate) fn all() -> io::Result<Vec<Peer>> {
    let ours = std::env::current_exe()?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let peers = here.join("peers");
    let rust = peers.join("rust/target/release");
    let js = peers.join("js");
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "x64",
        other => other,
    };
    let bun = js.join(format!(
        "node_modules/@oven/bun-linux-{architecture}/bin/bun"
    ));
    let node = PathBuf::from("node");

    let mut list = Vec::new();
    let mut add = |name, label, kind, program: PathBuf, args: &[PathBuf]| {
        list.push(Peer {
            name,
            label,
            launch: Launch {
                program,
                args: args.to_vec(),
                env: Vec::new(),
            },
            cores: &[SERVER_CORE],
            framing: match kind {
                Kind::Tcp => Framing::Bytes,
                Kind::Tls => Framing::Tls,
                Kind::Http2 => Framing::Http2,
                _ => Framing::WebSocket,
            },
            kind,
        });
    };
    let own = |name| ours.with_file_name(name);
    add("ours", "crossws, tokio", Kind::Ours, own("ours-tokio"), &[]);
    if let Some(before) = std::env::var_os("BENCH_BEFORE") {
        add(
            "ours-before",
            "crossws, before",
            Kind::Server,
            before.into(),
            &[],
        );
    }
    add(
        "ours-smol",
        "crossws, smol",
        Kind::Server,
        own("ours-smol"),
        &[],
    );
    add("floor", "epoll floor", Kind::Floor, own("floor"), &[]);
    add("tcp-echo", "TCP echo", Kind::Tcp, own("tcp-echo"), &[]);
    add(
        "bun",
        "Bun",
        Kind::Server,
        bun.clone(),
        &[js.join("bun.mjs")],
    );
    add(
        "uws",
        "uWebSockets",
        Kind::Server,
        peers.join("uws/server"),
        &[],
    );
    add(
        "tungstenite",
        "tokio-tungstenite, batched",
        Kind::Server,
        rust.join("tungstenite"),
        &[],
    );
    add(
        "fastwebsockets",
        "fastwebsockets",
        Kind::Server,
        rust.join("fastwebsockets"),
        &[],
    );
    add("axum", "axum", Kind::Server, rust.join("axum"), &[]);
    add(
        "crossws-bun",
        "crossws (npm), Bun",
        Kind::Server,
        bun,
        &[js.join("crossws-bun.mjs")],
    );
    add(
        "crossws-node",
        "crossws (npm), Node",
        Kind::Server,
        node.clone(),
        &[js.join("crossws-node.mjs")],
    );
    add("ws", "ws, Node", Kind::Server, node, &[js.join("ws.mjs")]);
    add(
        "ours-one",
        "one thread",
        Kind::Threads,
        own("ours-tokio"),
        &[],
    );
    add(
        "ours-two",
        "two threads",
        Kind::Threads,
        own("ours-tokio"),
        &[],
    );
    let without = |mechanism| (own("ours-without"), [PathBuf::from(mechanism)]);
    let (tokio, axum, tungstenite) = (
        own("ours-tokio"),
        rust.join("axum"),
        rust.join("tungstenite"),
    );
    add("ours-tls", "crossws", Kind::Tls, tokio.clone(), &[]);
    let (program, args) = without("unbuffered-tls");
    let label = "crossws, tokio-rustls";
    add("ours-buffered-tls", label, Kind::Tls, program, &args);
    add(
        "axum-tls",
        "axum, axum-server",
        Kind::Tls,
        axum.clone(),
        &[],
    );
    let label = "tokio-tungstenite, tokio-rustls";
    add("tungstenite-tls", label, Kind::Tls, tungstenite, &[]);
    add("ours-http2", "crossws", Kind::Http2, tokio.clone(), &[]);
    add("axum-http2", "axum", Kind::Http2, axum, &[]);
    add("ours-whole", "crossws", Kind::Without, tokio.clone(), &[]);
    let (program, args) = without("crew");
    let label = "without the crew";
    add("ours-no-crew", label, Kind::Without, program.clone(), &args);
    let on_two = Kind::WithoutOnTwo;
    add("ours-whole-two", "crossws", on_two, tokio, &[]);
    add("ours-no-crew-two", label, on_two, program, &args);
    let (program, args) = without("drop-in-order");
    let label = "without drop in order";
    add("ours-no-drop", label, Kind::Without, program, &args);
    let certificate = certificate::create(ours.parent().unwrap_or(here))?;
    for peer in &mut list {
        match peer.kind {
            Kind::Tls => peer.launch.env.extend(certificate.clone()),
            Kind::Http2 => peer.launch.env.push(("HTTP2", "1".to_owned())),
            _ => {}
        }
        if matches!(peer.kind, Kind::Threads | Kind::WithoutOnTwo) {
            peer.cores = &[SERVER_CORE, LOAD_CORE];
        }
        if peer.kind == Kind::WithoutOnTwo || peer.name == "ours-two" {
            peer.launch.env.push(("THREADS", "2".to_owned()));
        }
    }
    Ok(list)
}
