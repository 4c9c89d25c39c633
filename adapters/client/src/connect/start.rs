//! What begins a client: a task of the runtime, or a future of the app.

use std::sync::Arc;

use crossws_core::{BoxFuture, HookOutput, Message, Settings};

use super::Connect;
use super::config::Config;
use crate::client::{Client, ClientHandle};
use crate::driver::{Driver, Inbox, Run};
use crate::error::ConnectError;
use crate::platform::driving;
use crate::reconnect::Disconnected;
use crate::shared::Shared;

impl Connect {
    /// Starts to connect, in a task of the runtime. What is sent meanwhile waits, according to
    /// [`while_connecting`](Self::while_connecting).
    ///
    /// # Errors
    /// When a setting cannot be used, or no runtime is there to run it.
    pub fn start(self) -> Result<Client, ConnectError> {
        let (handle, config) = self.build()?;
        let driver = Driver::new(handle.clone(), config, Inbox(handle.clone()));
        handle.platform().spawn(Box::pin(driver));
        Ok(Client::new(handle))
    }

    /// Waits for the first connection.
    pub(crate) async fn open(self) -> Result<Client, ConnectError> {
        let client = self.start()?;
        match client.first_opened().await {
            true => Ok(client),
            false => Err(client.take_failure()),
        }
    }

    /// Connects, and runs this function for each message, one at a time and in order, until the client
    /// ends. No task is spawned, and a message takes no detour through one: the future is the
    /// connection.
    ///
    /// While the function runs, pings are answered, and what was sent is written. If it fails, the
    /// connection is closed with 1011, and the client ends.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// crossws_client::connect("wss://example.com/echo")
    ///     .on_open(|client| drop(client.send("hello")))
    ///     .run(|client, message| async move { client.send(message) })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`start`](Self::start). How the connection ended, or why none opened, is no error of this
    /// function, but its result.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection, without a close frame. Call
    /// [`ClientHandle::close`] to close it in order.
    pub async fn run<F, Fut>(self, handler: F) -> Result<Arc<Disconnected>, ConnectError>
    where
        F: FnMut(ClientHandle, Message) -> Fut,
        Fut: Future<Output: HookOutput>,
    {
        let (_, running) = self.with_handler(handler)?;
        Ok(running.await)
    }

    /// As [`run`](Self::run), for code that sends before the connection is open, or polls it in a task
    /// of its own: returns a handle, and the future that is the connection. Nothing connects until the
    /// future is polled.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn with_handler<F, Fut>(
        self,
        handler: F,
    ) -> Result<
        (
            ClientHandle,
            impl Future<Output = Arc<Disconnected>> + use<F, Fut>,
        ),
        ConnectError,
    >
    where
        F: FnMut(ClientHandle, Message) -> Fut,
        Fut: Future<Output: HookOutput>,
    {
        let (handle, config) = self.build()?;
        let mut driver = Driver::new(handle.clone(), config, Run::new(handle.clone(), handler));
        let running = handle.clone();
        Ok((handle, async move {
            driving(running.platform(), &mut driver).await;
            running.closed().await
        }))
    }

    fn build(self) -> Result<(ClientHandle, Arc<Config>), ConnectError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let limits = self.config.connection.limits.clone();
        Settings::default().limits(limits.clone()).validate()?;
        let platform = match self.platform {
            Some(platform) => platform,
            None => crate::default_platform()?,
        };
        let shared = Shared::new(limits, self.while_connecting, self.when_closed);
        let form = self.config.form;
        let handle = ClientHandle::new(Arc::new(shared), platform, form);
        Ok((handle, Arc::new(self.config)))
    }
}

impl IntoFuture for Connect {
    type Output = Result<Client, ConnectError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}
