use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use crossws_app::{Decode, DecodeLimits, Encode, JsonCodec};
use crossws_core::{BoxFuture, DecodeError, SendError, Sent};
use futures_core::Stream;

use crate::client::{Client, ClientHandle};
use crate::connect::Connect;
use crate::error::ConnectError;

/// A [`Connect`] whose client has types: see [`Connect::typed`].
#[must_use = "nothing connects until it is awaited or started"]
pub struct TypedConnect<In, Out> {
    connect: Connect,
    codec: Codec<In, Out>,
}

struct Codec<In, Out> {
    decode: Box<dyn Decode<In>>,
    encode: Box<dyn Encode<Out>>,
    limits: DecodeLimits,
}

impl Connect {
    /// A client that receives `In` and sends `Out`, as JSON: the server's `Out` and `In`.
    ///
    /// ```
    /// # #[derive(serde::Deserialize)] struct ToPlayer;
    /// # #[derive(serde::Serialize)] struct FromPlayer;
    /// use crossws_client::connect;
    ///
    /// let game = connect("wss://example.com/game").typed::<ToPlayer, FromPlayer>();
    /// # let _ = game;
    /// ```
    pub fn typed<In: 'static, Out: 'static>(self) -> TypedConnect<In, Out>
    where
        JsonCodec: Decode<In> + Encode<Out>,
    {
        self.typed_as(JsonCodec)
    }

    /// As [`typed`](Self::typed), in another format.
    pub fn typed_as<In: 'static, Out: 'static, C>(self, codec: C) -> TypedConnect<In, Out>
    where
        C: Decode<In> + Encode<Out> + Clone,
    {
        TypedConnect {
            connect: self,
            codec: Codec {
                decode: Box::new(codec.clone()),
                encode: Box::new(codec),
                limits: DecodeLimits::new(),
            },
        }
    }
}

impl<In: 'static, Out: 'static> TypedConnect<In, Out> {
    /// Changes the settings of the connection.
    pub(crate) fn map(self, change: impl FnOnce(Connect) -> Connect) -> Self {
        Self {
            connect: change(self.connect),
            codec: self.codec,
        }
    }

    /// Sets the limits of messages from the server.
    ///
    /// ```
    /// use crossws_app::DecodeLimits;
    /// use crossws_client::{TypedConnect, connect};
    ///
    /// let prices: TypedConnect<Vec<u32>, String> = connect("wss://example.com/prices").typed();
    /// let prices = prices.decode_limits(DecodeLimits::new().max_items(1_000));
    /// # let _ = prices;
    /// ```
    pub fn decode_limits(mut self, limits: DecodeLimits) -> Self {
        self.codec.limits = limits;
        self
    }

    /// Starts to connect: see [`Connect::start`].
    ///
    /// # Errors
    /// As [`Connect::start`].
    pub fn start(self) -> Result<TypedClient<In, Out>, ConnectError> {
        Ok(TypedClient {
            client: self.connect.start()?,
            codec: self.codec,
        })
    }
}

impl<In: 'static, Out: 'static> IntoFuture for TypedConnect<In, Out> {
    type Output = Result<TypedClient<In, Out>, ConnectError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            Ok(TypedClient {
                client: self.connect.open().await?,
                codec: self.codec,
            })
        })
    }
}

crossws_core::opaque_debug!([In, Out] TypedConnect<In, Out>, self => (self.connect));

/// A [`Client`] that receives `In` and sends `Out`.
///
/// ```no_run
/// use crossws_client::connect;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut sums = connect("wss://example.com/sums").typed::<i64, (i64, i64)>().await?;
/// sums.send((40, 2))?;
/// assert_eq!(sums.next().await.transpose()?, Some(42));
/// # Ok(()) }
/// ```
#[must_use = "a client that is dropped closes its connection"]
pub struct TypedClient<In, Out> {
    client: Client,
    codec: Codec<In, Out>,
}

impl<In: 'static, Out: 'static> TypedClient<In, Out> {
    /// Returns the next message, or `None` when the client has ended: see [`Client::next`].
    ///
    /// # Errors
    /// When a message is of another type. It is taken, and the client goes on.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Result<In, DecodeError>> {
        std::future::poll_fn(|cx| self.poll_typed(cx)).await
    }

    fn poll_typed(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<In, DecodeError>>> {
        let message = self.client.poll_message(cx);
        let codec = &self.codec;
        message.map(|message| message.map(|message| codec.decode.decode(&message, &codec.limits)))
    }

    /// Queues a message: see [`ClientHandle::send`].
    ///
    /// # Errors
    /// As [`ClientHandle::send`].
    pub fn send(&self, message: Out) -> Result<Sent, SendError> {
        self.client.send(self.codec.encode.encode(&message)?)
    }

    /// Returns the client without types.
    pub fn untyped(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl<In, Out> Deref for TypedClient<In, Out> {
    type Target = ClientHandle;

    fn deref(&self) -> &ClientHandle {
        &self.client
    }
}

impl<In: 'static, Out: 'static> Stream for TypedClient<In, Out> {
    type Item = Result<In, DecodeError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_typed(cx)
    }
}

crossws_core::opaque_debug!([In, Out] TypedClient<In, Out>, self => (self.client));
