//! A hook that fails or panics: `error` gets it, its decision is applied, and no other peer
//! notices.

use std::sync::Arc;

use crossws_core::adapter::ClaimError;
use crossws_core::{
    BoxError, Bytes, CloseCode, CloseFrame, Closed, Error, ErrorKind, HookKind, HookResult, Hooks,
    Hub, Message, OnError, Peer, PeerState, Rejection, Upgrade, UpgradeRequest, resolve_with,
};
use futures_lite::future::block_on;

use crate::common::{Log, assert_empty, join, open, request, turn, upgrade};

#[derive(Debug, thiserror::Error)]
#[error("no such room")]
struct NoSuchRoom;

#[derive(Clone, Copy, PartialEq)]
enum How {
    Err,
    Panic,
}

/// Hooks of which one fails, and whose `error` hook returns a given decision.
struct Failing {
    at: HookKind,
    how: How,
    answer: OnError,
    log: Log,
}

impl Failing {
    fn new(at: HookKind, how: How, answer: OnError) -> (Arc<Self>, Log) {
        let log = Log::default();
        let this = Self {
            at,
            how,
            answer,
            log: log.clone(),
        };
        (Arc::new(this), log)
    }

    fn run(&self, at: HookKind) -> HookResult {
        if at != self.at {
            return Ok(());
        }
        match self.how {
            How::Err => Err(NoSuchRoom.into()),
            How::Panic => panic!("a bug in {at}"),
        }
    }
}

impl Hooks for Failing {
    async fn upgrade(&self, _: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        Ok(self.run(HookKind::Upgrade).map(|()| Upgrade::new())?)
    }
    async fn open(&self, _: &Peer) -> HookResult {
        self.run(HookKind::Open)
    }
    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        self.log.add(format!("message {message}"));
        if self.at == HookKind::Task {
            let (how, guard) = (self.how, self.log.clone());
            peer.spawn(async move {
                let _guard = guard;
                match how {
                    How::Err => Err::<(), _>(NoSuchRoom),
                    How::Panic => panic!("a bug in task"),
                }
            });
        }
        self.run(HookKind::Message)
    }
    async fn drain(&self, _: &Peer) -> HookResult {
        self.run(HookKind::Drain)
    }
    async fn ping(&self, _: &Peer, _: Bytes) -> HookResult {
        self.run(HookKind::Ping)
    }
    async fn pong(&self, _: &Peer, _: Bytes) -> HookResult {
        self.run(HookKind::Pong)
    }
    async fn close(&self, _: &Peer, _: Closed) -> HookResult {
        self.log.add("close");
        self.run(HookKind::Close)
    }
    async fn error(&self, _: &Peer, error: Error) -> OnError {
        let known = error.downcast_ref::<NoSuchRoom>().is_some();
        self.log.add(format!("{:?} {known} {error}", error.kind()));
        if self.at == HookKind::Error {
            panic!("a bug in error");
        }
        self.answer.clone()
    }
}

const RUNNING: [HookKind; 6] = [
    HookKind::Open,
    HookKind::Message,
    HookKind::Drain,
    HookKind::Ping,
    HookKind::Pong,
    HookKind::Task,
];

/// Runs every hook of a connection up to `close`. Returns the state before it and the closes sent.
fn run(hooks: &Arc<Failing>) -> (PeerState, Vec<u16>) {
    let hub = Hub::default();
    let (bystander, bystander_wire) = open(&hub, &Arc::new(crossws_core::hooks()), "/");
    let (mut session, wire) = open(&hub, hooks, "/");
    block_on(async {
        session.message("1".into()).await;
        session.drain().await;
        session.ping(Bytes::new()).await;
        session.pong(Bytes::new()).await;
    });
    turn(&mut session);
    let state = session.peer().state();
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(bystander.peer().state(), PeerState::Open);
    assert_eq!(bystander_wire.take(), []);
    drop(bystander);
    assert_empty(&hub);
    (state, wire.closes())
}

#[test]
fn an_error_closes_with_1011_by_default() {
    for at in RUNNING {
        let (hooks, log) = Failing::new(at, How::Err, OnError::default());
        assert_eq!(run(&hooks), (PeerState::Closing, vec![1011]), "{at}");
        let lines = log.take();
        let line = format!("Hook({at:?}) true the {at} hook failed: no such room");
        assert_eq!(
            lines.iter().filter(|one| **one == line).count(),
            1,
            "{lines:?}"
        );
        assert_eq!(lines.last().unwrap(), "close");
    }
}

#[test]
fn the_error_hook_chooses_the_frame_or_keeps_the_peer() {
    for at in RUNNING {
        let frame = CloseFrame::new(CloseCode::POLICY, "go away");
        let (hooks, _) = Failing::new(at, How::Err, OnError::Close(frame));
        assert_eq!(run(&hooks), (PeerState::Closing, vec![1008]), "{at}");

        let (hooks, log) = Failing::new(at, How::Err, OnError::Keep);
        assert_eq!(run(&hooks), (PeerState::Open, vec![]), "{at}");
        assert!(log.take().contains(&"message 1".to_owned()), "{at}");
    }
}

#[test]
fn a_panic_always_closes() {
    for at in RUNNING {
        for answer in [OnError::Keep, OnError::default()] {
            let (hooks, log) = Failing::new(at, How::Panic, answer);
            assert_eq!(run(&hooks), (PeerState::Closing, vec![1011]), "{at}");
            let line = format!("Panic({at:?}) false the {at} hook panicked: a bug in {at}");
            assert!(log.take().contains(&line), "{at}");
        }
    }
}

#[test]
fn close_hooks_that_fail_reach_error_and_the_peer_is_gone() {
    for how in [How::Err, How::Panic] {
        let (hooks, log) = Failing::new(HookKind::Close, how, OnError::Keep);
        assert_eq!(run(&hooks), (PeerState::Open, vec![]));
        let lines = log.take();
        assert_eq!(lines[..2], ["message 1", "close"]);
        assert!(lines[2].contains("(Close)"), "{lines:?}");
        assert_eq!(lines.len(), 3);
    }
}

#[test]
fn a_panic_in_error_closes() {
    let (hooks, log) = Failing::new(HookKind::Error, How::Panic, OnError::Keep);
    let hub = Hub::default();
    let (mut session, wire) = open(&hub, &hooks, "/");
    let failed = Error::hook(HookKind::Message, NoSuchRoom.into());
    block_on(session.error(failed));
    assert_eq!(wire.closes(), [1011]);
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take().len(), 2, "the error once, then close");
    assert_empty(&hub);
}

#[test]
fn a_protocol_error_always_closes_and_the_adapters_frame_stands() {
    let (hooks, log) = Failing::new(HookKind::Resolve, How::Err, OnError::Keep);
    let hub = Hub::default();
    let (mut session, wire) = open(&hub, &hooks, "/");
    let broken: BoxError = "unmasked frame".into();
    block_on(session.error(Error::protocol(broken)));
    assert_eq!(wire.closes(), [1011]);

    let (mut session, wire) = open(&hub, &hooks, "/");
    session.peer().close(CloseCode::PROTOCOL, "");
    block_on(session.error(Error::protocol("unmasked frame")));
    assert_eq!(wire.closes(), [1002]);
    let said = "Protocol false the client broke the protocol or a limit: unmasked frame";
    assert_eq!(log.take(), [said, said]);
}

#[test]
fn upgrades_that_fail_are_refused_with_500_and_say_nothing() {
    for how in [How::Err, How::Panic] {
        let (hooks, _) = Failing::new(HookKind::Upgrade, how, OnError::Keep);
        let hub = Hub::default();
        let rejection = upgrade(&hub, &hooks, request("/")).unwrap_err();
        assert_eq!(rejection.status(), 500);
        assert_eq!(rejection.response().body(), "internal server error");
        let source = rejection.source().unwrap().to_string();
        match how {
            How::Err => assert_eq!(source, "no such room"),
            How::Panic => assert_eq!(source, "the upgrade hook panicked: a bug in upgrade"),
        }
        assert_empty(&hub);
    }
}

#[test]
fn a_resolver_that_panics_refuses() {
    let hub = Hub::default();
    let resolver = Arc::new(resolve_with(
        |_| -> Option<Arc<crossws_core::HooksBuilder>> { panic!("a bug") },
    ));
    match block_on(hub.claim(&resolver, request("/"))) {
        Err(ClaimError::Rejected(rejection)) => {
            assert_eq!(rejection.status(), 500);
            let error = rejection.source().unwrap().downcast_ref::<Error>().unwrap();
            assert_eq!(error.kind(), ErrorKind::Panic(HookKind::Resolve));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failure_after_the_close_began_is_still_reported() {
    let (hooks, log) = Failing::new(HookKind::Message, How::Err, OnError::default());
    let hub = Hub::default();
    let (joined, wire) = join(&hub, &hooks, "/");
    let lifeline = joined.lifeline();
    let mut session = block_on(joined.open());
    lifeline.ended();
    block_on(session.message("1".into()));
    assert_eq!(wire.take(), [], "the client is gone: no frame to send");
    block_on(session.close(Closed::by_client(None)));
    assert_eq!(log.take().len(), 3);
}

/// A future whose destructor panics: no panic of user code may leave the hook.
struct PanicsWhenDropped;

impl Future for PanicsWhenDropped {
    type Output = ();
    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Ready(())
    }
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_destructor_that_panics_is_a_hook_that_panics() {
    struct Bad;
    impl Hooks for Bad {
        #[allow(clippy::manual_async_fn)]
        fn message(&self, _: &Peer, _: Message) -> impl Future<Output = HookResult> + Send {
            let bad = PanicsWhenDropped;
            async move {
                let mut bad = Box::pin(bad);
                bad.as_mut().await;
                Ok(())
            }
        }
        async fn open(&self, peer: &Peer) -> HookResult {
            peer.spawn(PanicsWhenDropped);
            Ok(())
        }
        async fn error(&self, _: &Peer, error: Error) -> OnError {
            assert!(matches!(error.kind(), ErrorKind::Panic(_)));
            OnError::Keep
        }
    }
    let hub = Hub::default();
    let (mut session, wire) = open(&hub, &Arc::new(Bad), "/");
    assert_eq!(turn(&mut session), Some(ErrorKind::Panic(HookKind::Task)));
    assert_eq!(wire.closes(), [1011]);
    let (mut session, wire) = open(&hub, &Arc::new(Bad), "/");
    block_on(session.message("1".into()));
    assert_eq!(wire.closes(), [1011]);
}
