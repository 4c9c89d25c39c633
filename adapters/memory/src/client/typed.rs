use std::fmt::Debug;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use crossws_app::{Decode, DecodeLimits, Encode, JsonCodec};
use crossws_core::{CloseCode, DecodeError, Message, PeerId, SendError, Utf8Bytes};

use crate::client::hear::{NotHeard, decode, fail};
use crate::client::{Client, CloseEvent};

impl Client {
    /// This client with the types of a [typed](crossws_app::typed) app: it receives the app's `Out`
    /// and sends its `In`, as JSON.
    ///
    /// ```
    /// use crossws_app::{TypedPeer, messages, typed};
    /// use crossws_memory::TestServer;
    ///
    /// # futures_lite::future::block_on(async {
    /// let sums = messages()
    ///     .on_message(|peer: TypedPeer<i64>, (a, b): (i64, i64)| async move { peer.send(a + b) });
    /// let server = TestServer::new(typed(sums));
    /// let mut client = server.connect("/").await?.typed::<i64, (i64, i64)>();
    /// client.send((2, 3))?;
    /// assert_eq!(client.next().await?, 5);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn typed<Receives, Sends>(self) -> TypedClient<Receives, Sends>
    where
        JsonCodec: Decode<Receives> + Encode<Sends>,
    {
        self.typed_as(JsonCodec)
    }

    /// As [`typed`](Self::typed), in another codec: that of the subprotocol which the client has
    /// offered, for one.
    pub fn typed_as<Receives, Sends, C>(self, codec: C) -> TypedClient<Receives, Sends>
    where
        C: Decode<Receives> + Encode<Sends>,
    {
        let codec = Arc::new(codec);
        TypedClient {
            client: self,
            decode: Arc::clone(&codec) as _,
            encode: codec,
            types: PhantomData,
        }
    }
}

/// A [`Client`] of a typed app: see [`Client::typed`].
#[must_use = "a client that is dropped is gone"]
pub struct TypedClient<Receives, Sends> {
    client: Client,
    decode: Arc<dyn Decode<Receives>>,
    encode: Arc<dyn Encode<Sends>>,
    types: PhantomData<fn(Sends) -> Receives>,
}

impl<Receives: 'static, Sends: 'static> TypedClient<Receives, Sends> {
    /// Sends a message.
    ///
    /// # Errors
    /// As [`Client::send`]; when the value cannot be encoded.
    pub fn send(&mut self, message: Sends) -> Result<(), SendError> {
        let message = self.encode.encode(&message);
        self.client.send(message?)
    }

    /// The next message, within the server's [patience](crate::TestServerBuilder::patience).
    ///
    /// # Errors
    /// When none arrives, or one of another type.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Result<Receives, NotHeard> {
        let message = self.client.arrival().await?;
        decode(message, |message| self.read(message))
    }

    /// Takes the next message, which must be this one.
    ///
    /// # Panics
    /// When another message arrives or none, with both and the line of the test.
    #[track_caller]
    pub fn expect(&mut self, message: Receives) -> impl Future<Output = ()>
    where
        Receives: PartialEq + Debug,
    {
        let at = Location::caller();
        async move {
            match self.next().await {
                Ok(heard) if heard == message => {}
                Ok(heard) => fail(at, format_args!("expected {message:?}, heard {heard:?}")),
                Err(error) => fail(at, format_args!("expected {message:?}, but {error}")),
            }
        }
    }

    /// Lets everything run that can, and makes sure that no message has arrived.
    ///
    /// # Panics
    /// When one has.
    #[track_caller]
    pub fn expect_nothing(&mut self) -> impl Future<Output = ()> {
        self.client.expect_nothing()
    }

    /// Lets everything run that can, and takes all messages that have arrived.
    ///
    /// # Errors
    /// When one of them is of another type; all of them are taken.
    pub async fn heard(&mut self) -> Result<Vec<Receives>, NotHeard> {
        let heard = self.client.heard().await.into_iter();
        heard
            .map(|message| decode(message, |message| self.read(message)))
            .collect()
    }

    fn read(&self, message: &Message) -> Result<Receives, DecodeError> {
        self.decode.decode(message, &DecodeLimits::new())
    }

    /// The peer's id on the server.
    pub fn id(&self) -> PeerId {
        self.client.id()
    }

    /// Sends a close frame: see [`Client::close`].
    pub fn close(&mut self, code: CloseCode, reason: impl Into<Utf8Bytes>) {
        self.client.close(code, reason);
    }

    /// Waits for the end of the connection: see [`Client::closed`].
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn closed(&mut self) -> CloseEvent {
        self.client.closed().await
    }

    /// The client without types: for what no typed client sends.
    pub fn untyped(&mut self) -> &mut Client {
        &mut self.client
    }
}

crossws_core::opaque_debug!([Receives, Sends] TypedClient<Receives, Sends>, self => (self.client));
