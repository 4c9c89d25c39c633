use std::sync::Arc;

use crossws_core::{Peer, UpgradeRequest};

use crate::ended::Ended;

type OnConnect = Arc<dyn Fn(&UpgradeRequest) + Send + Sync>;
type OnOpen = Arc<dyn Fn(&Peer) + Send + Sync>;
type OnClose = Arc<dyn Fn(&UpgradeRequest, &Ended) + Send + Sync>;

/// The application's functions for the events of a connection.
#[derive(Clone, Default)]
pub(crate) struct Callbacks {
    pub(crate) on_connect: Option<OnConnect>,
    pub(crate) on_open: Option<OnOpen>,
    pub(crate) on_close: Option<OnClose>,
}

impl Callbacks {
    pub(crate) fn connect(&self, request: &UpgradeRequest) {
        if let Some(connect) = &self.on_connect {
            connect(request);
        }
    }

    pub(crate) fn open(&self, peer: &Peer) {
        if let Some(open) = &self.on_open {
            open(peer);
        }
    }

    pub(crate) fn wants_close(&self) -> bool {
        self.on_close.is_some()
    }

    pub(crate) fn close(&self, request: &UpgradeRequest, ended: &Ended) {
        if let Some(close) = &self.on_close {
            close(request, ended);
        }
    }
}
