//! What the types promise natively, checked by the compiler.

use std::task::Context;

use crossws_core::adapter::{
    Accepted, Claim, OpeningPeer, PeerEvents, Publication, Session, Transport,
};
use crossws_core::{
    Bytes, Closed, Error, Extensions, Hooks, HooksBuilder, Hub, Incoming, Limits, Message, Peer,
    Rejection, Resolve, SharedHooks, Upgrade, UpgradeRequest, WeakPeer,
};
use std::sync::Arc;

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn send_value<T: Send>(_: T) {}

#[test]
fn handles_cross_threads() {
    macro_rules! both {
        ($($name:ty),* $(,)?) => {$(
            send::<$name>();
            sync::<$name>();
        )*};
    }
    both!(
        Peer,
        WeakPeer,
        Hub,
        Message,
        Limits,
        Error,
        Extensions,
        PeerEvents,
        Publication,
        Rejection,
        Upgrade,
        UpgradeRequest,
        HooksBuilder,
        SharedHooks,
        Incoming,
        Box<dyn Transport>,
    );
    send::<Session<SharedHooks>>();
}

/// Only compiled: the whole path of a connection is `Send` for hooks of any type.
#[allow(dead_code)]
fn the_path_is_send<H, R, T>(hub: Hub, resolver: &Arc<R>, request: UpgradeRequest, transport: T)
where
    H: Hooks + ?Sized,
    R: Resolve<Hooks = H>,
    T: Transport,
{
    send::<Claim<H>>();
    send::<Accepted<H>>();
    send::<OpeningPeer<H>>();
    send::<Session<H>>();
    send_value(async move {
        let accepted = hub.claim(resolver, request).await.unwrap().upgrade().await;
        let mut session = accepted.unwrap().join(transport).unwrap().open().await;
        session.message(Message::from("")).await;
        session.ping(Bytes::new()).await;
        session.pong(Bytes::new()).await;
        session.drain().await;
        std::future::poll_fn(|cx: &mut Context<'_>| session.poll_notice(cx)).await;
        let peer = session.peer().clone();
        peer.closed().await;
        peer.drained(0).await;
        hub.idle().await;
        session.close(Closed::by_client(None)).await;
    });
}

/// Only compiled: hooks may be erased, and an erased one is hooks again.
#[allow(dead_code)]
fn erased(hooks: impl Hooks) -> impl Hooks {
    SharedHooks::new(hooks)
}
