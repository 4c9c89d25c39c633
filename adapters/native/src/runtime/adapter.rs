//! What the crate of a runtime exports, and its listeners: the same for every runtime.

/// Exports the server and the acceptor on a runtime, and what their users need. `$name` is the runtime's name
/// and `$krate` its crate's in docs. Where it is called, `stop_signal` is in scope, and the features `http`,
/// `http2` and `tls` enable native's.
#[doc(hidden)]
#[macro_export]
macro_rules! export_adapter {
    ($runtime:ident, $name:literal, $krate:literal) => {
        /// The capabilities of this adapter.
        pub use $crate::CAPABILITIES;
        #[cfg(feature = "http2")]
        pub use $crate::Http2;
        pub use $crate::{HeadLimits, Listen, NotHandled, Report, Shutdown, StreamInfo};
        #[cfg(feature = "tls")]
        pub use $crate::{Tls, TlsError, TlsStream};

        #[doc = concat!(
            "A server on ", $name, ", created by [`Server::builder`](crossws_native::Server::builder)."
        )]
        ///
        /// ```no_run
        #[doc = concat!("use ", $krate, "::{Server, Shutdown, stop_signal};")]
        /// # use crossws_core::Hooks;
        ///
        /// # async fn run(chat: impl Hooks) -> std::io::Result<()> {
        /// let server = Server::builder(chat).bind("127.0.0.1:3000").await?;
        /// println!("http://{}", server.local_addr());
        /// let report = server.run_until(stop_signal()?, Shutdown::default()).await?;
        /// println!("{report}");
        /// # Ok(()) }
        /// ```
        pub type Server<R> = $crate::Server<R, $runtime>;
        /// A builder of a [`Server`].
        ///
        /// ```no_run
        #[doc = concat!("use ", $krate, "::Server;")]
        /// use crossws_core::{Hooks, Limits, Origin};
        ///
        /// # async fn run(chat: impl Hooks) -> std::io::Result<()> {
        /// let server = Server::builder(chat)
        ///     .limits(Limits::default().max_peers(1_000))
        ///     .origin(Origin::listed(["https://chat.example"]));
        /// server.bind("0.0.0.0:3000").await?.run().await
        /// # }
        /// ```
        pub type ServerBuilder<R> = $crate::ServerBuilder<R, $runtime>;
        /// A handle to a server, usable while the server runs.
        ///
        /// ```no_run
        #[doc = concat!("use ", $krate, "::{ServerHandle, Shutdown};")]
        ///
        /// async fn stop(handle: ServerHandle) {
        ///     let _ = handle.hub().in_all_namespaces().broadcast("see you");
        ///     println!("{}", handle.shutdown(Shutdown::default()).await);
        /// }
        /// ```
        pub type ServerHandle = $crate::ServerHandle<$runtime>;

        /// Takes streams that were accepted elsewhere and, with the feature `http`, upgrade requests
        /// of another HTTP server.
        ///
        /// `Acceptor::new(hooks, hub)` creates an `Acceptor` without type parameters, for an app's
        /// state.
        ///
        /// ```no_run
        /// # async fn serve(chat: impl crossws_core::Hooks) -> Result<(), crossws_core::Error> {
        #[doc = concat!("use ", $krate, "::{Acceptor, Shutdown};")]
        /// use crossws_core::Hub;
        ///
        /// let acceptor = Acceptor::new(chat, Hub::default());
        /// acceptor.start().await?; // the `start` hook
        /// // `acceptor.serve_stream(..)` for each stream, or `handle_upgrade(..)` for each request
        /// println!("{}", acceptor.shutdown(Shutdown::default()).await);
        /// # Ok(()) }
        /// ```
        pub type Acceptor<R = crossws_core::SharedResolver> = $crate::Acceptor<R, $runtime>;
        /// A builder of an [`Acceptor`].
        ///
        /// ```
        #[doc = concat!("use ", $krate, "::Acceptor;")]
        /// use crossws_core::{Hooks, Limits};
        ///
        /// # fn build(chat: impl Hooks) {
        /// let acceptor = Acceptor::builder(chat)
        ///     .limits(Limits::default().max_peers(1_000))
        ///     .build();
        /// # }
        /// ```
        pub type AcceptorBuilder<R> = $crate::AcceptorBuilder<R, $runtime>;
        /// A layer that takes WebSocket upgrades out of a tower service's requests: see
        /// [`WebSocketLayer`](crossws_native::WebSocketLayer). The layers outside of it see every
        /// request, those inside only the requests that are not for the hooks.
        #[cfg(feature = "http")]
        pub type WebSocketLayer<R = crossws_core::SharedResolver> =
            $crate::WebSocketLayer<R, $runtime>;
        /// A service wrapped by a layer: see [`WebSocketLayer`](crossws_native::WebSocketLayer).
        #[cfg(feature = "http")]
        pub type WebSocketService<S, R = crossws_core::SharedResolver> =
            $crate::WebSocketService<R, S, $runtime>;

        /// Lends this runtime's time and tasks to a hub that has none: for event streams in a foreign
        /// server. A [`Server`] and an [`Acceptor`] lend theirs themselves.
        pub fn lend_background(hub: &crossws_core::Hub) {
            $crate::lend_background::<$runtime>(hub);
        }

        /// Serves hooks on an address until a signal stops the process, then shuts down in an orderly
        /// way: [`Server::run_until`](crossws_native::Server::run_until) with [`stop_signal`] and the
        /// default [`Shutdown`]. On systems without such signals, it serves until the future is
        /// dropped. Requests that do not ask for a WebSocket get a 404.
        ///
        /// # Errors
        /// When the address cannot be bound, signals cannot be watched, or the `start` hook fails.
        ///
        /// # Cancel safety
        /// Dropping the future stops accepting; connections go on. For more, see [`Server`].
        pub async fn serve<R: crossws_core::Resolve>(
            addr: impl std::net::ToSocketAddrs,
            resolver: R,
        ) -> std::io::Result<()> {
            let server = Server::builder(resolver).bind(addr).await?;
            match stop_signal() {
                Err(error) if error.kind() == std::io::ErrorKind::Unsupported => server.run().await,
                signal => {
                    server.run_until(signal?, Shutdown::default()).await?;
                    Ok(())
                }
            }
        }
    };
}

/// Implements [`Listen`](crate::Listen) for a runtime's listeners. `io` is the module of the adapter that
/// wraps streams.
#[doc(hidden)]
#[allow(clippy::crate_in_macro_def)] // the calling crate wraps its streams
#[macro_export]
macro_rules! listeners {
    ($runtime:ty: $tcp:ty => $tcp_stream:ty, $unix:ty => $unix_stream:ty) => {
        impl $crate::Listen<$runtime> for $tcp {
            type Io = crate::io::Stream<$tcp_stream>;

            async fn accept(
                &mut self,
            ) -> std::io::Result<(Self::Io, Option<std::net::SocketAddr>)> {
                let (stream, addr) = <$tcp>::accept(self).await?;
                $crate::tune(&stream);
                Ok((crate::io::tcp(stream), Some(addr)))
            }

            fn local_addr(&self) -> std::io::Result<Option<std::net::SocketAddr>> {
                <$tcp>::local_addr(self).map(Some)
            }

            /// No other code has a handle to a stream that was accepted here.
            fn ends_on_drop(&self) -> bool {
                true
            }
        }

        /// Unix-domain sockets: for a proxy on the same machine.
        #[cfg(unix)]
        impl $crate::Listen<$runtime> for $unix {
            type Io = crate::io::Stream<$unix_stream>;

            async fn accept(
                &mut self,
            ) -> std::io::Result<(Self::Io, Option<std::net::SocketAddr>)> {
                let (stream, _) = <$unix>::accept(self).await?;
                Ok((crate::io::unix(stream), None))
            }

            fn local_addr(&self) -> std::io::Result<Option<std::net::SocketAddr>> {
                Ok(None)
            }
        }
    };
}
