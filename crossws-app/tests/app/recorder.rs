//! Hooks that log, and a run of every hook.

use std::sync::Arc;

use crossws_app::Router;
use crossws_core::http::Request;
use crossws_core::{
    Bytes, Closed, DropCause, Dropped, Error, HookResult, Hooks, Hub, Message, OnError, Overflow,
    Peer, Rejection, Resolution, Resolve, Subscription, Upgrade, UpgradeRequest,
};
use crossws_memory::TestServer;

use crate::common::*;

/// Logs every hook. Fails in `message` if the text says so, and keeps the peer.
#[derive(Clone)]
pub(crate) struct Recorder(pub(crate) &'static str, pub(crate) Log);

impl Recorder {
    fn saw(&self, what: impl std::fmt::Display) {
        self.1.add(format!("{} {what}", self.0));
    }
}

impl Hooks for Recorder {
    async fn start(&self, _: &Hub) -> HookResult {
        self.saw("start");
        Ok(())
    }
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        self.saw(format_args!("upgrade {}", request.path()));
        Ok(Upgrade::new().header("x-by", self.0)?.topic(self.0))
    }
    async fn open(&self, _: &Peer) -> HookResult {
        self.saw("open");
        Ok(())
    }
    async fn message(&self, _: &Peer, message: Message) -> HookResult {
        self.saw(format_args!("message {message}"));
        match message.text() {
            Ok(text) if text == format!("fail {}", self.0) => Err("failed".into()),
            _ => Ok(()),
        }
    }
    async fn drain(&self, _: &Peer) -> HookResult {
        self.saw("drain");
        Ok(())
    }
    async fn ping(&self, _: &Peer, data: Bytes) -> HookResult {
        self.saw(format_args!("ping {data:?}"));
        Ok(())
    }
    async fn pong(&self, _: &Peer, data: Bytes) -> HookResult {
        self.saw(format_args!("pong {data:?}"));
        Ok(())
    }
    async fn subscription(&self, _: &Peer, subscription: Subscription) -> HookResult {
        self.saw(format_args!("subscription {}", subscription.topic));
        Ok(())
    }
    async fn dropped(&self, _: &Peer, dropped: Dropped) -> HookResult {
        self.saw(format_args!("dropped {}", dropped.messages));
        Ok(())
    }
    async fn timer(&self, _: &Peer, name: &str) -> HookResult {
        self.saw(format_args!("timer {name}"));
        Ok(())
    }
    async fn close(&self, _: &Peer, closed: Closed) -> HookResult {
        self.saw(format_args!("close {}", closed.code));
        Err("failed".into())
    }
    async fn error(&self, _: &Peer, error: Error) -> OnError {
        self.saw(format_args!("error {:?}", error.kind()));
        OnError::Keep
    }
}

/// Runs every hook of the route of `/in/a`, with a peer of the server, and returns the log.
pub(crate) fn every_hook(router: Router, log: &Log) -> Vec<String> {
    let server = TestServer::new(says("peer"));
    let _client = block_on(async { server.connect("/").await.unwrap() });
    let peer = server.hub().peers().remove(0);
    let router = Arc::new(router);
    block_on(async {
        Resolve::start(&router, server.hub()).await.unwrap();
        let request = Request::get("/in/a").body(()).unwrap();
        let mut request = UpgradeRequest::new(request.into_parts().0);
        let Resolution::Route(route) = router.resolve(&mut request).await else {
            panic!("no route");
        };
        let hooks = route.hooks();
        let _ = hooks.upgrade(&request).await;
        let dropped = Dropped::new(3, DropCause::Overflow(Overflow::DropOldest));
        let error = Error::protocol("bad frame");
        let results = [
            hooks.open(&peer).await,
            hooks.message(&peer, "m".into()).await,
            hooks.drain(&peer).await,
            hooks.ping(&peer, "i".into()).await,
            hooks.pong(&peer, "o".into()).await,
            hooks.dropped(&peer, dropped).await,
            hooks.timer(&peer, "t").await,
        ];
        assert!(results.iter().all(Result::is_ok));
        assert!(hooks.close(&peer, Closed::by_client(None)).await.is_err());
        assert_eq!(hooks.error(&peer, error).await, OnError::Keep);
    });
    log.take()
}

/// What a recorder logs for them.
pub(crate) const EVERY: [&str; 11] = [
    "start",
    "upgrade /in/a",
    "open",
    "message m",
    "drain",
    "ping b\"i\"",
    "pong b\"o\"",
    "dropped 3",
    "timer t",
    "close 1005",
    "error Protocol",
];
