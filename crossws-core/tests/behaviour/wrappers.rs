//! Every wrapper forwards every hook: a forgotten one would compile and silently drop it.

use std::sync::Arc;

use crossws_core::{
    Bytes, Closed, DynHooks, Error, Hook, HookResult, Hooks, Hub, Message, OnError, Peer,
    Rejection, Resolve, SharedHooks, Upgrade, UpgradeRequest, hooks, resolve_with,
};
use futures_lite::future::block_on;

use crate::common::{Log, open};

/// Sees every hook, and fails in `message` so that `error` is among them.
#[derive(Clone, Default)]
struct Recorder(Log);

impl Hooks for Recorder {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        self.0.add(format!("upgrade {}", request.path()));
        Ok(Upgrade::new().namespace("recorded"))
    }
    async fn open(&self, peer: &Peer) -> HookResult {
        self.0.add(format!("open {}", peer.namespace()));
        Ok(())
    }
    async fn message(&self, _: &Peer, message: Message) -> HookResult {
        self.0.add(format!("message {message}"));
        Err("failed".into())
    }
    async fn drain(&self, _: &Peer) -> HookResult {
        self.0.add("drain");
        Ok(())
    }
    async fn ping(&self, _: &Peer, data: Bytes) -> HookResult {
        self.0.add(format!("ping {data:?}"));
        Ok(())
    }
    async fn pong(&self, _: &Peer, data: Bytes) -> HookResult {
        self.0.add(format!("pong {data:?}"));
        Ok(())
    }
    async fn close(&self, _: &Peer, closed: Closed) -> HookResult {
        self.0.add(format!("close {}", closed.code));
        Ok(())
    }
    async fn error(&self, _: &Peer, error: Error) -> OnError {
        self.0.add(format!("error {:?}", error.kind()));
        OnError::Keep
    }
}

const ALL: [&str; 8] = [
    "upgrade /",
    "open recorded",
    "message m",
    "error Hook(Message)",
    "drain",
    "ping b\"i\"",
    "pong b\"o\"",
    "close 1005",
];

#[track_caller]
fn sees_all<R: Resolve>(log: &Log, resolver: R) {
    let (mut session, _wire) = open(&Hub::default(), &Arc::new(resolver), "/");
    block_on(async {
        session.message("m".into()).await;
        session.drain().await;
        session.ping("i".into()).await;
        session.pong("o".into()).await;
        session.close(Closed::by_client(None)).await;
    });
    assert_eq!(log.take(), ALL, "{}", std::any::type_name::<R>());
}

/// A wrapper as middleware is written: around erased hooks, with plain `async fn`.
struct Outer(SharedHooks);

impl Hooks for Outer {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        self.0.upgrade(request).await
    }
    async fn open(&self, peer: &Peer) -> HookResult {
        self.0.open(peer).await
    }
    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        self.0.message(peer, message).await
    }
    async fn drain(&self, peer: &Peer) -> HookResult {
        self.0.drain(peer).await
    }
    async fn ping(&self, peer: &Peer, data: Bytes) -> HookResult {
        self.0.ping(peer, data).await
    }
    async fn pong(&self, peer: &Peer, data: Bytes) -> HookResult {
        self.0.pong(peer, data).await
    }
    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        self.0.close(peer, closed).await
    }
    async fn error(&self, peer: &Peer, error: Error) -> OnError {
        self.0.error(peer, error).await
    }
}

#[test]
fn every_wrapper_forwards_every_hook() {
    let recorder = Recorder::default();
    let log = recorder.0.clone();
    let new = || recorder.clone();
    sees_all(&log, new());
    sees_all(&log, Arc::new(new()));
    sees_all(&log, Box::new(new()));
    sees_all(&log, Arc::new(new()) as Arc<dyn DynHooks>);
    sees_all(&log, SharedHooks::new(new()));
    sees_all(&log, Outer(SharedHooks::new(new())));
    sees_all(&log, Box::new(new()) as Box<dyn DynHooks>);
    sees_all(
        &log,
        Arc::new(Box::new(Arc::new(new()) as Arc<dyn DynHooks>)),
    );
    let shared = Arc::new(new());
    sees_all(&log, resolve_with(move |_| Some(Arc::clone(&shared))));
    let shared: Arc<dyn DynHooks> = Arc::new(new());
    sees_all(&log, resolve_with(move |_| Some(Arc::clone(&shared))));
}

#[test]
fn the_builder_sets_every_hook() {
    let recorder = Recorder::default();
    // Each closure forwards to the recorder, so that nothing but the builder is under test.
    macro_rules! to {
        ($hook:ident, $($arg:ident),*) => {{
            let recorder = recorder.clone();
            move |$($arg),*| {
                let recorder = recorder.clone();
                async move { recorder.$hook($($arg),*).await }
            }
        }};
        ($hook:ident, & $peer:ident $(, $arg:ident)*) => {{
            let recorder = recorder.clone();
            move |$peer: Peer $(, $arg)*| {
                let recorder = recorder.clone();
                async move { recorder.$hook(&$peer $(, $arg)*).await }
            }
        }};
    }
    let on_upgrade = {
        let recorder = recorder.clone();
        move |request: UpgradeRequest| {
            let recorder = recorder.clone();
            async move { recorder.upgrade(&request).await }
        }
    };
    let built = hooks()
        .on_upgrade(on_upgrade)
        .on_open(to!(open, &peer))
        .on_message(to!(message, &peer, message))
        .on_drain(to!(drain, &peer))
        .on_ping(to!(ping, &peer, data))
        .on_pong(to!(pong, &peer, data))
        .on_close(to!(close, &peer, closed))
        .on_error(to!(error, &peer, error));
    sees_all(&recorder.0, built);
}

#[test]
fn hooks_that_are_not_set_do_as_the_trait_does() {
    struct Nothing;
    impl Hooks for Nothing {}
    fn runs<H: Hooks>(hooks: H) -> (usize, Vec<u16>) {
        let (mut session, wire) = open(&Hub::default(), &Arc::new(hooks), "/n");
        assert_eq!(session.peer().namespace(), "/n");
        block_on(async {
            session.message("m".into()).await;
            session.drain().await;
            session.ping("i".into()).await;
            session.pong("o".into()).await;
        });
        let said = wire.take().len();
        block_on(session.error(Error::hook(Hook::Message, "failed".into())));
        (said, wire.closes())
    }
    assert_eq!(runs(Nothing), (0, vec![1011]));
    assert_eq!(runs(hooks()), (0, vec![1011]));
}
