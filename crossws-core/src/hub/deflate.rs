macro_rules! deflate {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ty = $default:expr;)+) => {
        /// How messages are compressed: permessage-deflate (RFC 7692).
        ///
        /// Off unless it is given to [`HubBuilder::deflate`](crate::HubBuilder::deflate), or to
        /// [`Upgrade::deflate`](crate::Upgrade::deflate) for one route; and it happens only with
        /// clients that offer it, on transports with
        /// [`Capabilities::COMPRESSION`](crate::Capabilities::COMPRESSION).
        ///
        /// Whoever sees how long a compressed message is learns something of its content where a
        /// secret and what an attacker may choose are compressed together: send those
        /// [`uncompressed`](crate::SendOptions::uncompressed).
        ///
        /// ```
        /// # use crossws_core::{Deflate, Hub};
        /// let hub = Hub::builder().deflate(Deflate::default().threshold(512_usize)).build();
        /// assert_eq!(hub.settings().deflate.unwrap().threshold, 512);
        /// ```
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
                #[doc = concat!("Sets [`", stringify!($name), "`](field@Self::", stringify!($name), ").")]
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
    /// The server forgets what it has sent before it compresses the next message. Then one
    /// compressor serves all connections of a thread, and what is published is compressed once for
    /// all. Without it messages that are like one another become smaller, what is published is
    /// compressed for each, and a connection that sends costs some 300 KiB until it has been silent
    /// for one or two heartbeats (without any, until it ends); the client may ask for it all the
    /// same. Default true.
    server_no_context_takeover: bool = true;
    /// The client has to forget too. Without it a connection keeps the end of what it has received
    /// compressed: as far as the client may refer, 32 KiB at most. Default true.
    client_no_context_takeover: bool = true;
    /// How far back the server's compressor refers, as a power of two: 9 to 15, for 512 bytes to
    /// 32 KiB; the nearest of them counts for other numbers. The client may ask for less. (RFC 7692
    /// knows 8, which zlib does not support: an offer that asks for it is declined.) Default 15.
    server_max_window_bits: u8 = 15;
    /// The same for clients, which can be told only if their offer says so. Default 15.
    client_max_window_bits: u8 = 15;
    /// Shorter messages are sent as they are, in bytes. Default 1 KiB.
    threshold: usize = 1 << 10;
    /// From 1, the fastest, to 9, the smallest; the nearest of them counts for other numbers.
    /// Default 1.
    level: u8 = 1;
    /// Refuses with 400 a client that offers permessage-deflate, but nothing that can be accepted
    /// with these parameters. Otherwise it is connected without compression, and one that cannot be
    /// told `client_max_window_bits` is connected with. Default false.
    strict: bool = false;
    /// Refuses with 400 every client with which nothing would be compressed, one that offers nothing
    /// too. On transports without compression, connections that require it are closed with 1011.
    /// Default false.
    required: bool = false;
    /// Most bytes of memory for contexts that are taken over, of all connections of this process
    /// together; beyond it connections are served without. Default 64 MiB.
    max_context_memory: usize = 64 << 20;
}
