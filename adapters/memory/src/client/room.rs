use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::task::Poll;

use crossws_core::{IntoMessage, Message};

use crate::client::Client;
use crate::client::hear::fail;
use crate::client::refusal::ConnectError;
use crate::server::TestServer;
use crate::time::chance::Chance;

impl TestServer {
    /// Connects a client for each of these targets, one after the other: each `open` hook has had its
    /// turn before the next begins.
    ///
    /// ```
    /// use crossws_core::{Peer, hooks};
    /// use crossws_memory::TestServer;
    ///
    /// # futures_lite::future::block_on(async {
    /// let server = TestServer::new(
    ///     hooks()
    ///         .on_open(|peer| async move { peer.subscribe("talk") })
    ///         .on_message(|peer: Peer, message| async move { peer.publish("talk", message) }),
    /// );
    /// let mut room = server.room(["/lobby?name=ada", "/lobby?name=bob", "/lobby?name=cid"]).await?;
    /// let [ada, bob, cid] = &mut *room;
    /// ada.send("hello")?;
    /// bob.expect("hello").await;
    /// cid.expect("hello").await;
    /// ada.expect_nothing().await;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The first refusal.
    ///
    /// # Cancel safety
    /// Dropping the future is clients that go away.
    pub async fn room<const N: usize>(
        &self,
        targets: [impl AsRef<str>; N],
    ) -> Result<Room<N>, ConnectError> {
        let mut clients = Vec::with_capacity(N);
        for target in &targets {
            clients.push(self.connect(target.as_ref()).await?);
            self.settle().await;
        }
        let chance = self.world.chance.clone();
        // There are as many as targets.
        let clients = <[Client; N]>::try_from(clients).map_err(|_| ConnectError::dropped())?;
        Ok(Room { clients, chance })
    }
}

/// Several clients: see [`TestServer::room`]. It is the array of them.
#[derive(Debug)]
#[must_use = "clients that are dropped are gone"]
pub struct Room<const N: usize> {
    clients: [Client; N],
    chance: Chance,
}

impl<const N: usize> Room<N> {
    /// Takes the next message of each client, which must be this one: see [`Client::expect`].
    ///
    /// # Panics
    /// When another message arrives or none, with both and the line of the test.
    #[track_caller]
    pub fn expect(&mut self, message: impl IntoMessage) -> impl Future<Output = ()> {
        let at = Location::caller();
        let message = message.into_message();
        async move {
            let message = message.unwrap_or_else(|error| fail(at, format_args!("{error}")));
            for (n, client) in self.clients.iter_mut().enumerate() {
                if let Err(missed) = client.hear(&message).await {
                    fail(at, format_args!("client {n}: {missed}"));
                }
            }
        }
    }

    /// Lets everything run that can, and makes sure that no client has a message.
    ///
    /// # Panics
    /// When one has, with it and the line of the test.
    #[track_caller]
    pub fn expect_nothing(&mut self) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            for (n, client) in self.clients.iter_mut().enumerate() {
                if let Some(heard) = client.heard().await.first() {
                    fail(
                        at,
                        format_args!("client {n}: expected nothing, heard `{heard}`"),
                    );
                }
            }
        }
    }

    /// Lets everything run that can, and takes all messages of all clients.
    ///
    /// # Cancel safety
    /// Dropping the future loses the messages that were taken.
    pub async fn heard(&mut self) -> [Vec<Message>; N] {
        let mut all = [const { Vec::new() }; N];
        for (client, heard) in self.clients.iter_mut().zip(&mut all) {
            *heard = client.heard().await;
        }
        all
    }

    /// Runs a script for each client, all of them at once: it gets the client and its place in the
    /// room. With a [seed](crate::TestServerBuilder::seed) that decides whose turn is next.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the scripts where they are.
    pub async fn play(&mut self, script: impl AsyncFn(usize, &mut Client)) {
        type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

        let clients = self.clients.iter_mut().enumerate();
        let mut running: Vec<Running<'_>> = clients
            .map(|(n, client)| Box::pin(script(n, client)) as Running<'_>)
            .collect();
        let chance = &self.chance;
        poll_fn(|cx| {
            let mut left = running.len();
            while left > 0 {
                // Those that had their turn come after the others.
                let next = chance.pick(left);
                left -= 1;
                match running[next].as_mut().poll(cx) {
                    Poll::Ready(()) => {
                        running.swap(next, left);
                        drop(running.remove(left));
                    }
                    Poll::Pending => running[next..=left].rotate_left(1),
                }
            }
            match running.is_empty() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// The clients.
    pub fn into_clients(self) -> [Client; N] {
        self.clients
    }
}

impl<const N: usize> Deref for Room<N> {
    type Target = [Client; N];

    fn deref(&self) -> &[Client; N] {
        &self.clients
    }
}

impl<const N: usize> DerefMut for Room<N> {
    fn deref_mut(&mut self) -> &mut [Client; N] {
        &mut self.clients
    }
}
