//! Every wrapper forwards every hook: a forgotten one would compile and silently drop it.

use std::sync::Arc;

use crossws_core::adapter::Start;
use crossws_core::{
    Bytes, Closed, DropCause, Dropped, DynHooks, DynResolve, Error, HookKind, HookResult, Hooks,
    Hub, Message, OnError, Overflow, Peer, Rejection, Resolution, Resolve, SharedHooks,
    SharedResolver, Subscription, Swap, Upgrade, UpgradeRequest, Wrap, hooks, wrap,
};
use futures_lite::future::block_on;

use crate::common::{Log, join, open, time_up, turn};

/// Logs every hook, and fails in `message` so that `error` runs, too.
#[derive(Clone, Default)]
struct Recorder(Log);

impl Hooks for Recorder {
    async fn start(&self, hub: &Hub) -> HookResult {
        self.0.add(format!("start {}", hub.stats().peers));
        Ok(())
    }
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
    async fn subscription(&self, _: &Peer, event: Subscription) -> HookResult {
        let (topic, joined, all) = (&event.topic, event.joined, event.subscribers);
        self.0.add(format!("subscription {topic} {joined} {all}"));
        Ok(())
    }
    async fn dropped(&self, _: &Peer, dropped: Dropped) -> HookResult {
        self.0.add(format!("dropped {}", dropped.messages));
        Ok(())
    }
    async fn timer(&self, _: &Peer, name: &str) -> HookResult {
        self.0.add(format!("timer {name}"));
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

const ALL: [&str; 12] = [
    "start 0",
    "upgrade /",
    "open recorded",
    "message m",
    "error Hook(Message)",
    "drain",
    "ping b\"i\"",
    "pong b\"o\"",
    "subscription t true 1",
    "dropped 3",
    "timer typing",
    "close 1005",
];

#[track_caller]
fn sees_all<R: Resolve>(log: &Log, resolver: R) {
    let (hub, resolver) = (Hub::default(), Arc::new(resolver));
    block_on(Start::default().run(&resolver, &hub)).unwrap();
    let (joined, _wire) = join(&hub, &resolver, "/");
    let lifeline = joined.lifeline();
    let mut session = block_on(joined.open());
    block_on(async {
        session.message("m".into()).await;
        session.drain().await;
        session.ping("i".into()).await;
        session.pong("o".into()).await;
        session.peer().subscribe("t").unwrap();
        lifeline.dropped(Dropped::new(3, DropCause::Overflow(Overflow::DropOldest)));
        time_up(&session, &lifeline, "typing");
        turn(&mut session);
        session.close(Closed::by_client(None)).await;
    });
    // It leaves its topics as well, which is another test.
    let seen = log
        .take()
        .into_iter()
        .filter(|line| !line.contains("false"));
    let seen: Vec<_> = seen.collect();
    assert_eq!(seen, ALL, "{}", std::any::type_name::<R>());
}

/// A wrapper that writes none of the hooks.
struct Plain<H>(H);

impl<H: Hooks> Wrap for Plain<H> {
    type Inner = H;

    fn inner(&self) -> &H {
        &self.0
    }
}

/// Resolves to these hooks, and forwards `start` to them as a router does.
struct Router<H>(Arc<H>);

impl<H: Hooks> Resolve for Router<H> {
    type Hooks = H;

    async fn resolve(self: &Arc<Self>, _: &mut UpgradeRequest) -> Resolution<H> {
        Arc::clone(&self.0).into()
    }

    async fn start(self: &Arc<Self>, hub: &Hub) -> HookResult {
        Hooks::start(&*self.0, hub).await
    }
}

/// A wrapper as middleware is written: around erased hooks, with plain `async fn`.
struct Outer(SharedHooks);

impl Hooks for Outer {
    async fn start(&self, hub: &Hub) -> HookResult {
        self.0.start(hub).await
    }
    async fn subscription(&self, peer: &Peer, subscription: Subscription) -> HookResult {
        self.0.subscription(peer, subscription).await
    }
    async fn dropped(&self, peer: &Peer, dropped: Dropped) -> HookResult {
        self.0.dropped(peer, dropped).await
    }
    async fn timer(&self, peer: &Peer, name: &str) -> HookResult {
        self.0.timer(peer, name).await
    }
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
    sees_all(&log, wrap(Plain(new())));
    sees_all(&log, wrap(Plain(SharedHooks::new(wrap(Plain(new()))))));
    sees_all(&log, Router(Arc::new(new())));
    sees_all(&log, Arc::new(new()) as Arc<dyn DynResolve>);
    sees_all(&log, SharedResolver::new(new()));
    sees_all(&log, SharedResolver::new(SharedHooks::new(new())));
    sees_all(
        &log,
        Arc::new(Router(Arc::new(new()))) as Arc<dyn DynResolve>,
    );
    sees_all(&log, Swap::new(new()));
    sees_all(&log, Swap::new(Arc::new(new()) as Arc<dyn DynResolve>));
}

#[test]
fn a_wrapper_replaces_the_hooks_that_it_writes_and_no_other() {
    struct Loud<H>(H);
    impl<H: Hooks> Wrap for Loud<H> {
        type Inner = H;
        fn inner(&self) -> &H {
            &self.0
        }
        async fn message(&self, peer: &Peer, message: Message) -> HookResult {
            self.0.message(peer, format!("{message}!").into()).await
        }
    }
    let recorder = Recorder::default();
    let log = recorder.0.clone();
    let (mut session, _wire) = open(&Hub::default(), &Arc::new(wrap(Loud(recorder))), "/");
    block_on(session.message("m".into()));
    let lines = log.take();
    assert_eq!(
        lines,
        [
            "upgrade /",
            "open recorded",
            "message m!",
            "error Hook(Message)"
        ]
    );
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
        ($hook:ident, & $arg:ident : $kind:ty) => {{
            let recorder = recorder.clone();
            move |$arg: $kind| {
                let recorder = recorder.clone();
                async move { recorder.$hook(&$arg).await }
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
        .on_start(to!(start, &hub: Hub))
        .on_subscription(to!(subscription, &peer, event))
        .on_dropped(to!(dropped, &peer, dropped))
        .on_timer({
            let recorder = recorder.clone();
            move |peer, name: String| {
                let recorder = recorder.clone();
                async move { recorder.timer(&peer, &name).await }
            }
        })
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
        block_on(session.error(Error::hook(HookKind::Message, "failed".into())));
        (said, wire.closes())
    }
    assert_eq!(runs(Nothing), (0, vec![1011]));
    assert_eq!(runs(hooks()), (0, vec![1011]));
}
