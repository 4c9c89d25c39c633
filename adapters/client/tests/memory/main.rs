//! The client in the world of a server for tests, in virtual time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod closing;
mod heartbeat;
mod messages;
mod reconnect;
mod request;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crossws_client::Client;
use crossws_core::http::StatusCode;
use crossws_core::{Hooks, Rejection, Upgrade, hooks};

fn echo() -> impl Hooks {
    hooks().on_message(|peer, message| async move { peer.send(message) })
}

async fn text(client: &mut Client) -> String {
    client.next().await.unwrap().text().unwrap().to_owned()
}

/// Hooks that refuse the first connections with 503.
fn refuses_first(refusals: u32) -> (impl Hooks, Arc<AtomicU32>) {
    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let app = hooks()
        .on_upgrade(move |_| {
            let count = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                match count < refusals {
                    true => Err(Rejection::from(StatusCode::BAD_GATEWAY)),
                    false => Ok(Upgrade::new()),
                }
            }
        })
        .on_message(|peer, message| async move { peer.send(message) });
    (app, tries)
}
