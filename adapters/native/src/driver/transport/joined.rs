//! A peer of a real hub over an outbox, without a socket.

// A helper unwraps as the tests do.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use crossws_core::adapter::OpeningPeer;
use crossws_core::http::Request;
use crossws_core::{HooksBuilder, Hub, UpgradeRequest, hooks};
use futures_lite::future::block_on;

use super::NativeTransport;

pub(crate) fn join_with(hub: &Hub, transport: NativeTransport) -> OpeningPeer<HooksBuilder> {
    let request = UpgradeRequest::new(Request::get("/").body(()).unwrap().into_parts().0);
    // Neither waits for anything.
    let claim = block_on(hub.claim(&Arc::new(hooks()), request)).unwrap();
    let accepted = block_on(claim.upgrade()).unwrap();
    accepted.join(transport).unwrap()
}
