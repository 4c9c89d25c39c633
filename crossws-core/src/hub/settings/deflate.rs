macro_rules! deflate {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ty = $default:expr;)+) => {
        /// How messages are compressed: permessage-deflate (RFC 7692).
        ///
        /// Off unless it is passed to [`HubBuilder::deflate`](crate::HubBuilder::deflate), or to
        /// [`Upgrade::deflate`](crate::Upgrade::deflate) for one route. It is used only with
        /// clients that offer it, on transports with
        /// [`Capabilities::COMPRESSION`](crate::Capabilities::COMPRESSION).
        ///
        /// The length of a compressed message reveals something of its content if a secret and an
        /// attacker's text are compressed together: send such messages
        /// [`uncompressed`](crate::SendOptions::uncompressed).
        ///
        /// ```
        /// # use crossws_core::{Deflate, Hub};
        /// let hub = Hub::builder().deflate(Deflate::default().threshold(512_usize)).build();
        /// assert_eq!(hub.settings().deflate.unwrap().threshold, 512);
        /// ```
        #[doc(alias = "compression")]
        #[doc(alias = "permessage-deflate")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub struct Deflate {
            $($(#[doc = $doc])+ pub $name: $kind,)+
        }

        impl Default for Deflate {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Deflate {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](field@Self::", stringify!($name), "):")]
                $(#[doc = $doc])+
                #[must_use]
                pub fn $name(mut self, value: impl Into<$kind>) -> Self {
                    self.$name = value.into();
                    self
                }
            )+
        }
    };
}

deflate! {
    /// The server resets its context before it compresses each message. One compressor then serves
    /// all connections of a thread, and a publication is compressed once for all subscribers.
    /// Without it, similar messages become smaller, a publication is compressed for each
    /// subscriber, and a connection that sends costs some 300 KiB until it has been silent for one
    /// or two heartbeats (without a heartbeat, until it ends). The client may require the reset in
    /// any case. Default true.
    server_no_context_takeover: bool = true;
    /// The client has to reset its context, too. Without it a connection keeps the end of the data
    /// that it has received compressed: as far as the client may refer, 32 KiB at most. Default
    /// true.
    client_no_context_takeover: bool = true;
    /// How far back the server's compressor refers, as a power of two: 9 to 15, for 512 bytes to 32
    /// KiB; other numbers are rounded to the nearest of them. The client may ask for less. (RFC
    /// 7692 allows 8, which zlib does not support: an offer that asks for it is declined.) Default
    /// 15.
    server_max_window_bits: u8 = 15;
    /// The same for clients, which the server can tell only if their offer allows it. Default 15.
    client_max_window_bits: u8 = 15;
    /// Messages below this length in bytes are sent uncompressed. Default 1 KiB.
    threshold: usize = 1 << 10;
    /// From 1, the fastest, to 9, the smallest; other numbers are rounded to the nearest of them.
    /// Default 1.
    level: u8 = 1;
    /// Refuses with 400 a client whose offers of permessage-deflate are all incompatible with these
    /// parameters. Otherwise such a client is connected without compression, and a client that
    /// cannot be told `client_max_window_bits` is connected with compression. Default false.
    strict: bool = false;
    /// Refuses with 400 every client with which messages would not be compressed, also one that
    /// offers nothing. On transports without compression, connections that require it are closed
    /// with 1011. Default false.
    required: bool = false;
    /// Most bytes of memory for kept contexts, of all connections of this process together; beyond
    /// it connections keep none. Default 64 MiB.
    max_context_memory: usize = 64 << 20;
}
