//! The proxy and its upstream as two servers for tests, in virtual time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod ending;
mod messages;
mod opening;

use std::sync::{Arc, Mutex};

use crossws_core::{Hooks, Limits, Resolve, hooks};
use crossws_memory::TestServer;
use crossws_proxy::Proxy;

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Says hello, echoes, and logs how its clients leave.
pub(crate) fn echo(log: &Log) -> impl Hooks + use<> {
    let log = log.clone();
    hooks()
        .on_open(|peer| async move { peer.send("hello") })
        .on_message(|peer, message| async move { peer.send(message) })
        .on_close(move |_, closed| {
            log.add(format!("{} {}", closed.code, closed.reason));
            async {}
        })
}

/// Creates an upstream, and a proxy to it.
pub(crate) fn proxy_to(upstream: impl Resolve) -> (TestServer, Proxy) {
    let upstream = TestServer::new(upstream);
    let proxy = through(&upstream, Proxy::to("ws://upstream/rooms?x=1"));
    (upstream, proxy)
}

/// Connects a proxy's upstreams in memory.
pub(crate) fn through(upstream: &TestServer, proxy: Proxy) -> Proxy {
    let upstream = upstream.clone();
    proxy.connect_with(move |connect| connect.in_memory(&upstream))
}

/// Logs the events of a proxy's connections.
pub(crate) fn logged(proxy: Proxy, log: &Log) -> Proxy {
    let logs = [log.clone(), log.clone(), log.clone()];
    let [connect, open, close] = logs;
    proxy
        .on_connect(move |_| connect.add("connect"))
        .on_open(move |_| open.add("open"))
        .on_close(move |_, ended| {
            let opened = if ended.opened { "opened" } else { "unopened" };
            close.add(format!("{:?} {opened} {}", ended.by, ended.code));
        })
}

pub(crate) fn small() -> Limits {
    Limits::default().max_buffered(28).max_queued(3)
}
