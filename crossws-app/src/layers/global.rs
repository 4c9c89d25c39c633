use crossws_core::{
    Bytes, Closed, Dropped, HookResult, Hooks, Hub, Message, Peer, Rejection, SharedHooks,
    Subscription, Upgrade, UpgradeRequest, Wrap, wrap,
};

use crate::layers::layer::Layer;

/// Hooks that run before those of each route: see [`Router::global`](crate::Router::global).
pub(crate) struct Global(pub(crate) SharedHooks);

impl Layer for Global {
    fn wrap(&self, hooks: SharedHooks) -> SharedHooks {
        SharedHooks::new(wrap(Both {
            global: self.0.clone(),
            route: hooks,
        }))
    }
}

struct Both {
    global: SharedHooks,
    route: SharedHooks,
}

/// The route alone runs the `error` hook: an error has one answer.
impl Wrap for Both {
    type Inner = SharedHooks;

    fn inner(&self) -> &SharedHooks {
        &self.route
    }

    /// The router starts the global hooks, once for all routes.
    async fn start(&self, hub: &Hub) -> HookResult {
        self.route.start(hub).await
    }

    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let outer = self.global.upgrade(request).await?;
        if outer.is_pass() {
            return Ok(outer);
        }
        Ok(self.route.upgrade(request).await?.inherit(outer))
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        self.global.open(peer).await?;
        self.route.open(peer).await
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        self.global.message(peer, message.clone()).await?;
        self.route.message(peer, message).await
    }

    async fn drain(&self, peer: &Peer) -> HookResult {
        self.global.drain(peer).await?;
        self.route.drain(peer).await
    }

    async fn ping(&self, peer: &Peer, data: Bytes) -> HookResult {
        self.global.ping(peer, data.clone()).await?;
        self.route.ping(peer, data).await
    }

    async fn pong(&self, peer: &Peer, data: Bytes) -> HookResult {
        self.global.pong(peer, data.clone()).await?;
        self.route.pong(peer, data).await
    }

    async fn subscription(&self, peer: &Peer, subscription: Subscription) -> HookResult {
        self.global.subscription(peer, subscription.clone()).await?;
        self.route.subscription(peer, subscription).await
    }

    async fn dropped(&self, peer: &Peer, dropped: Dropped) -> HookResult {
        self.global.dropped(peer, dropped).await?;
        self.route.dropped(peer, dropped).await
    }

    async fn timer(&self, peer: &Peer, name: &str) -> HookResult {
        self.global.timer(peer, name).await?;
        self.route.timer(peer, name).await
    }

    /// Both clean up, even if the first fails.
    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        let global = self.global.close(peer, closed.clone()).await;
        let route = self.route.close(peer, closed).await;
        global.and(route)
    }
}
