use crate::wire::HttpProxy;

/// The longest head of a response, in bytes.
pub const MAX_HEAD: usize = 16 << 10;

/// Settings of connections over sockets.
#[derive(Default)]
pub(crate) struct Options {
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crossws_native::ClientTls>,
    pub(crate) proxy: Option<HttpProxy>,
}
