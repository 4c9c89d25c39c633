use crate::wire::proxy::HttpProxy;

/// Settings of connections over sockets.
#[derive(Clone, Default)]
pub(crate) struct Options {
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crossws_native::ClientTls>,
    pub(crate) proxy: Option<HttpProxy>,
}
