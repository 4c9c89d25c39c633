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
