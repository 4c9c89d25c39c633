//! Where clients run, and the settings that only some places have.

#[cfg(all(feature = "sockets", not(target_family = "wasm")))]
use crate::platform::native::Native;

#[cfg(all(feature = "sockets", not(target_family = "wasm")))]
impl crate::Connect {
    /// Runs on this runtime. By default, a client runs on the runtime that calls: on tokio inside a tokio
    /// runtime, otherwise on smol or async-std, whichever feature is on.
    ///
    /// ```ignore
    /// let room = crossws::client::connect("ws://localhost:3000").on(crossws::smol::Smol::default());
    /// ```
    pub fn on(self, runtime: impl crossws_native::ConnectRuntime) -> Self {
        self.with_platform(Native::platform(runtime))
    }

    /// Connects through this HTTP proxy. The environment's variables are not read.
    pub fn proxy(mut self, proxy: crate::HttpProxy) -> Self {
        self.connection().proxy = Some(proxy);
        self
    }

    /// Uses this configuration for `wss`. By default, a client trusts the certificates that the system
    /// trusts.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crossws_native::ClientTls) -> Self {
        self.connection().tls = Some(tls);
        self
    }
}

#[cfg(feature = "memory")]
impl crate::Connect {
    /// Runs in the world of this server, in virtual time. The host of the URL is not looked up.
    ///
    /// ```
    /// use crossws_client::connect;
    /// use crossws_core::hooks;
    /// use crossws_memory::TestServer;
    ///
    /// # futures_lite::future::block_on(async {
    /// let server = TestServer::new(hooks().on_message(|peer, message| async move { peer.send(message) }));
    /// let mut client = connect("wss://example.com/echo").in_memory(&server).await?;
    /// client.send("hello")?;
    /// assert_eq!(client.next().await.unwrap().text()?, "hello");
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn in_memory(self, server: &crossws_memory::TestServer) -> Self {
        self.with_platform(std::sync::Arc::new(server.clone()))
    }
}

#[cfg(feature = "memory")]
impl<In: 'static, Out: 'static> crate::TypedConnect<In, Out> {
    /// Runs in the world of this server: see [`Connect::in_memory`](crate::Connect::in_memory).
    pub fn in_memory(self, server: &crossws_memory::TestServer) -> Self {
        self.map(|connect| connect.in_memory(server))
    }
}

#[cfg(all(feature = "sockets", not(target_family = "wasm")))]
impl<In: 'static, Out: 'static> crate::TypedConnect<In, Out> {
    /// Runs on this runtime: see [`Connect::on`](crate::Connect::on).
    pub fn on(self, runtime: impl crossws_native::ConnectRuntime) -> Self {
        self.map(|connect| connect.on(runtime))
    }
}
