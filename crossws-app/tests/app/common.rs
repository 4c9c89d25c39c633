use std::sync::{Arc, Mutex};

use crossws_app::{PeerExt, Router};
use crossws_core::{Hooks, Peer};
use crossws_memory::{Client, TestServer};
pub(crate) use futures_lite::future::block_on;

/// Hooks that say their name and the parameters of the path when a peer opens.
pub(crate) fn says(name: &'static str) -> impl Hooks {
    crossws_core::hooks().on_open(move |peer: Peer| async move {
        let params = peer.params().iter();
        let params: Vec<_> = params
            .map(|(name, value)| format!(" {name}={value}"))
            .collect();
        peer.send(format!("{name}{}", params.concat()))
    })
}

pub(crate) async fn first_text(client: &mut Client) -> String {
    client.next().await.unwrap().text().unwrap().to_owned()
}

/// Returns the server's first message to a client of this path, or the status of its refusal.
pub(crate) fn answer(server: &TestServer, path: &str) -> String {
    block_on(async {
        match server.connect(path).await {
            Ok(mut client) => first_text(&mut client).await,
            Err(refusal) if refusal.is_unclaimed() => "passed".to_owned(),
            Err(refusal) => refusal.status().as_u16().to_string(),
        }
    })
}

#[track_caller]
pub(crate) fn expect(router: Router, answers: &[(&str, &str)]) {
    router.check().unwrap();
    let server = TestServer::new(router);
    for (path, expected) in answers {
        assert_eq!(answer(&server, path), *expected, "{path}");
    }
}

/// The events, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}
