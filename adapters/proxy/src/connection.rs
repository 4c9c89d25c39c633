use std::future::{poll_fn, ready};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crossws_client::{
    ClientHandle, Connect, ConnectError, Disconnected, Reconnect, Status, connect,
};
use crossws_core::adapter::sync::Mutex;
use crossws_core::adapter::within;
use crossws_core::{
    BoxError, BoxFuture, Capabilities, CloseCode, Closed, Deflate, HookResult, Hooks, Hub, Limits,
    Message, Peer, Rejection, SendError, Sent, SharedHooks, Upgrade, UpgradeRequest, Wrap,
};

use crate::callbacks::Callbacks;
use crate::ended::frame_for_upstream;
use crate::error::ProxyError;
use crate::headers::Headers;
use crate::hosts::Hosts;
use crate::link::Link;
use crate::protocols::Protocols;
use crate::target::Target;

/// Most bytes that wait for an upstream before its client waits for it.
const MARK: usize = 64 << 10;

pub(crate) type Addresses = dyn Fn(SocketAddr) -> bool + Send + Sync;
pub(crate) type Customize = dyn Fn(Connect) -> Connect + Send + Sync;

/// The settings of a proxy, and its hooks.
pub(crate) struct Connections {
    pub(crate) target: Box<dyn Target>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) addresses: Option<Arc<Addresses>>,
    pub(crate) headers: Headers,
    pub(crate) protocols: Protocols,
    pub(crate) limits: Limits,
    pub(crate) deflate: Option<Deflate>,
    pub(crate) connect_timeout: Duration,
    pub(crate) upgrade_first: bool,
    pub(crate) failed_with: CloseCode,
    pub(crate) customize: Option<Box<Customize>>,
    pub(crate) callbacks: Arc<Callbacks>,
    /// The application's own.
    pub(crate) hooks: SharedHooks,
}

/// The future that is a connection to an upstream.
type Running = BoxFuture<'static, Arc<Disconnected>>;

/// A client's connection to its upstream, among the volatile values of its peer.
struct Upstream {
    link: Arc<Link>,
    handle: ClientHandle,
    /// Until the peer's task runs it.
    running: Mutex<Option<Running>>,
}

impl Upstream {
    /// Waits for the connection. Returns why there is none.
    async fn opened(&mut self) -> Result<(), Arc<Disconnected>> {
        let running = self.running.get_mut();
        let Some(future) = running else {
            return Ok(());
        };
        let end = poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(end) => Poll::Ready(Some(end)),
            Poll::Pending if self.handle.status() == Status::Open => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match end.await {
            Some(end) if matches!(*end, Disconnected::Failed(_)) => Err(end),
            // It opened, and ended at once: the client gets its close code.
            Some(end) => {
                *running = Some(Box::pin(ready(end)));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn take_running(&self) -> Option<Running> {
        let running = &mut *self.running.lock();
        running.take()
    }

    /// Sends a message of the client. Waits until the upstream has taken earlier ones, so that meanwhile
    /// the client is not read.
    async fn send(&self, peer: &Peer, message: Message) {
        let sent = match self.handle.send(message) {
            Err(SendError::Full(message)) if self.handle.status() == Status::Open => {
                self.drained(peer, 0).await;
                self.handle.send(message)
            }
            sent => sent,
        };
        match sent {
            Ok(Sent::Queued { bytes }) if bytes > MARK && self.handle.status() == Status::Open => {
                self.drained(peer, MARK / 2).await;
            }
            Err(SendError::Full(_)) => {
                let text = match self.handle.status() {
                    Status::Connecting => "the upstream is not open yet, and too much waits for it",
                    _ => "larger than all that may wait for the upstream",
                };
                peer.close(CloseCode::TOO_BIG, text);
            }
            // The upstream has ended, which ends the client.
            _ => {}
        }
    }

    /// Waits until at most `threshold` bytes wait for the upstream. After the client's end, which waits for
    /// this, an upstream that does not take them within the time for closing is closed without the rest.
    async fn drained(&self, peer: &Peer, threshold: usize) {
        let mut drained = pin!(self.handle.drained(threshold));
        let client = peer.cancel_token();
        if client.run_until_cancelled(drained.as_mut()).await.is_some() {
            return;
        }
        let time = peer.settings().limits.close_timeout;
        let is_drained = match peer.hub().background() {
            Some(hub) => within(&*hub, time, drained).await.is_some(),
            // Without a timer there is no time.
            None => false,
        };
        if !is_drained {
            self.handle.close_frame(CloseCode::AWAY);
        }
    }
}

impl Connections {
    /// Prepares a client's connection. Nothing connects until it runs.
    fn upstream(
        &self,
        request: &UpgradeRequest,
        protocols: Vec<String>,
    ) -> Result<Upstream, Rejection> {
        let link = Arc::new(Link::begin(&self.callbacks, request, self.failed_with));
        let opened = Arc::clone(&link);
        let mut connect = connect(self.find(request, &link))
            .limits(self.limits.clone())
            .connect_timeout(self.connect_timeout)
            .protocols(protocols);
        if let Some(deflate) = self.deflate {
            connect = connect.deflate(deflate);
        }
        if let Some(allow) = self.addresses.clone() {
            connect = connect.allow_addresses(move |addr| allow(addr));
        }
        for (name, value) in &self.headers.of(request) {
            connect = connect.header(name, value);
        }
        if let Some(customize) = &self.customize {
            connect = customize(connect);
        }
        // A second connection would know nothing of the first one's messages.
        connect = connect
            .reconnect(Reconnect::backoff().tries(0))
            .on_open(move |_| opened.open());
        let to_client = Arc::clone(&link);
        let ready = connect.with_handler(move |_, message| {
            let link = Arc::clone(&to_client);
            async move { link.send(message).await }
        });
        match ready {
            Ok((handle, running)) => Ok(Upstream {
                link,
                handle,
                running: Mutex::new(Some(Box::pin(running))),
            }),
            Err(error) => Err(link.failed(Arc::new(Disconnected::Failed(error))).1),
        }
    }

    /// Returns a provider of the target's URL, which is asked once and within the time for connecting.
    fn find(
        &self,
        request: &UpgradeRequest,
        link: &Arc<Link>,
    ) -> impl Fn() -> BoxFuture<'static, Result<String, BoxError>> + use<> {
        let finding = Mutex::new(Some(self.target.find(request)));
        let (hosts, link) = (Arc::clone(&self.hosts), Arc::downgrade(link));
        move || {
            let finding = finding.lock().take();
            let (hosts, link) = (Arc::clone(&hosts), link.upgrade());
            Box::pin(async move {
                let (Some(finding), Some(link)) = (finding, link) else {
                    return Err(ConnectError::Closed.into());
                };
                let refused = match finding.await {
                    Ok(url) => match hosts.check(&url) {
                        Ok(()) => return Ok(url),
                        Err(error) => (error, None),
                    },
                    Err(rejection) => (
                        ProxyError::TargetRefused(rejection.status()),
                        Some(rejection),
                    ),
                };
                let text = refused.0.to_string();
                link.refuse(refused.0, refused.1);
                Err(text.into())
            })
        }
    }
}

/// A client that never opened: its upgrade was refused or given up after the upstream's, or its peer ended
/// before `open`. The upstream is closed in order, in a task of its own.
impl Drop for Upstream {
    fn drop(&mut self) {
        let running = self.running.get_mut();
        if let Some(running) = running.take()
            && self.handle.status() == Status::Open
        {
            self.link.abandon();
            self.handle.close_frame(CloseCode::AWAY);
            self.handle.spawn(async {
                running.await;
            });
        }
    }
}

/// Returns the connection of a peer that the proxy's `upgrade` accepted.
fn upstream_of(peer: &Peer) -> Result<Arc<Upstream>, NoUpstream> {
    peer.extensions().get().ok_or(NoUpstream)
}

#[derive(Debug, thiserror::Error)]
#[error("the proxy's `upgrade` hook did not run for this peer, or what it returned was replaced")]
struct NoUpstream;

#[derive(Debug, thiserror::Error)]
#[error("a proxied connection cannot sleep: its upstream would be lost")]
struct Sleeps;

impl Wrap for Connections {
    type Inner = SharedHooks;

    fn inner(&self) -> &SharedHooks {
        &self.hooks
    }

    /// Fails where no code can own a connection, before a client's upstream is connected to.
    async fn start(&self, hub: &Hub) -> HookResult {
        match hub.supports(Capabilities::HANDLER) {
            true => self.hooks.start(hub).await,
            false => Err(Sleeps.into()),
        }
    }

    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let outer = self.hooks.upgrade(request).await?;
        if outer.is_pass() || outer.is_take() {
            return Ok(outer);
        }
        let checked = self.headers.check_hops(request);
        checked.map_err(|error| Arc::new(error).rejection())?;
        let mut protocols = self.protocols.of(request);
        let mut upgrade = Upgrade::new();
        if self.upgrade_first {
            protocols.truncate(1);
        }
        let offered = protocols.first().cloned();
        let mut upstream = self.upstream(request, protocols)?;
        let chosen = match self.upgrade_first {
            true => offered.clone(),
            false => match upstream.opened().await {
                Ok(()) => upstream.handle.protocol(),
                Err(end) => return Err(upstream.link.failed(end).1),
            },
        };
        // Without an offer, the route's own list decides.
        if offered.is_some() {
            upgrade = upgrade.protocol(chosen.as_deref());
        }
        Ok(upgrade.extension(upstream).inherit(outer))
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        // A hub may hold peers of several transports.
        if !peer.capabilities().contains(Capabilities::HANDLER) {
            return Err(Sleeps.into());
        }
        let upstream = upstream_of(peer)?;
        upstream.link.join(peer);
        if let Some(running) = upstream.take_running() {
            let link = Arc::clone(&upstream.link);
            peer.spawn(async move { link.upstream_ended(running.await) });
        }
        if upstream.handle.status() == Status::Open {
            upstream.link.open();
        }
        self.hooks.open(peer).await
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        upstream_of(peer)?.send(peer, message).await;
        Ok(())
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        if let Ok(upstream) = upstream_of(peer) {
            upstream.link.client_ended(&closed);
            upstream.handle.close_frame(frame_for_upstream(&closed));
            // The future that is the connection bounds the wait. The peer runs it until this hook ends,
            // unless hooks around the proxy's have failed before its own `open`.
            match upstream.take_running() {
                Some(running) => {
                    upstream.link.join(peer);
                    drop(running.await);
                }
                None => drop(upstream.handle.closed().await),
            }
            upstream.link.tell();
        }
        self.hooks.close(peer, closed).await
    }
}
