use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crossws_core::{BoxError, Closed, Incoming, MaybeSend, MaybeSync, Message, Peer, opaque_debug};
use futures_core::Stream;
use serde::de::DeserializeOwned;

use crate::codec::Decode;
use crate::codec::json::JsonCodec;
use crate::codec::limits::DecodeLimits;
use crate::messages::malformed::{Malformed, OnMalformed};
use crate::messages::reader::Reader;
use crate::messages::transform::any_transform;

/// Typed messages for a loop that owns its connection ([`handler`](crossws_core::handler)).
///
/// ```
/// use crossws_app::IncomingExt;
/// use crossws_core::{Json, handler};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize, Serialize)]
/// struct Data {
///     data: String,
/// }
///
/// let echo = handler(|peer, incoming| async move {
///     let mut inputs = incoming.json::<Data>(); // skips what is no `Data`, and logs it
///     while let Some(input) = inputs.next().await {
///         peer.send(Json(input))?;
///     }
///     Ok(())
/// });
/// # fn takes(_: impl crossws_core::Hooks) {} takes(echo);
/// ```
pub trait IncomingExt: Sized {
    /// Decodes each message as JSON of this type.
    fn json<T: DeserializeOwned + MaybeSend + 'static>(self) -> TypedIncoming<T> {
        self.decode(JsonCodec)
    }

    /// Decodes each message with this codec, as [`typed_as`](crate::typed_as) does.
    fn decode<T, C>(self, codec: C) -> TypedIncoming<T>
    where
        T: MaybeSend + 'static,
        C: Decode<T>;
}

impl IncomingExt for Incoming {
    fn decode<T, C>(self, codec: C) -> TypedIncoming<T>
    where
        T: MaybeSend + 'static,
        C: Decode<T>,
    {
        let mut reader = Reader::new(Arc::new(codec));
        reader.on_malformed = OnMalformed::Skip;
        let incoming = self;
        TypedIncoming { incoming, reader }
    }
}

/// The messages of one connection as values, in order: see [`IncomingExt`]. It is also a [`Stream`].
///
/// A malformed message yields no value. By default it is skipped, with a warning in the log: see
/// [`on_malformed`](Self::on_malformed).
pub struct TypedIncoming<T> {
    incoming: Incoming,
    reader: Reader<T>,
}

impl<T: MaybeSend + 'static> TypedIncoming<T> {
    /// Decodes the messages of clients that have negotiated this subprotocol with this codec. It may be
    /// called several times; clients with none of these subprotocols keep the first codec.
    ///
    /// The route negotiates: see [`RouteBuilder::protocols`](crate::RouteBuilder::protocols).
    ///
    /// ```
    /// # #[cfg(feature = "cbor")] {
    /// use crossws_app::{CborCodec, IncomingExt, route};
    /// use crossws_core::handler;
    ///
    /// let sum = handler(|peer, incoming| async move {
    ///     let mut numbers = incoming.json::<u32>().protocol("sum.cbor", CborCodec);
    ///     let mut sum = 0;
    ///     while let Some(number) = numbers.next().await {
    ///         sum += number;
    ///     }
    ///     println!("{peer}: {sum}");
    ///     Ok(())
    /// });
    /// let route = route(sum).protocols(["sum.cbor"]);
    /// # }
    /// ```
    #[must_use]
    pub fn protocol<C: Decode<T>>(mut self, name: &str, codec: C) -> Self {
        if self.incoming.peer().protocol() == Some(name) {
            self.reader.set(Arc::new(codec));
        }
        self
    }

    /// Sets what happens to a client whose message is malformed, as
    /// [`TypedHooks::on_malformed`](crate::TypedHooks::on_malformed); by default the message is
    /// skipped. With [`OnMalformed::Fail`] the `error` hook gets it, and the loop goes on if that
    /// keeps the connection. [`try_next`](Self::try_next) returns it to the loop instead.
    #[must_use]
    pub fn on_malformed(mut self, policy: OnMalformed) -> Self {
        self.reader.on_malformed = policy;
        self
    }

    /// Runs a function on each decoded message. A message that it refuses is
    /// [`Malformed::Invalid`].
    #[must_use]
    pub fn validate<F, E>(mut self, validate: F) -> Self
    where
        F: Fn(&T) -> Result<(), E> + MaybeSend + MaybeSync + 'static,
        E: Into<BoxError> + 'static,
    {
        self.reader.set_validate(validate);
        self
    }

    /// Runs a function on each message before it is decoded. A message that it refuses is
    /// [`Malformed::Transform`].
    #[must_use]
    pub fn transform<F, E>(mut self, transform: F) -> Self
    where
        F: Fn(Message) -> Result<Message, E> + MaybeSend + MaybeSync + 'static,
        E: Into<BoxError> + 'static,
    {
        self.reader.transform = Some(any_transform(transform));
        self
    }

    /// Sets the limits of a message's content.
    #[must_use]
    pub fn decode_limits(mut self, limits: DecodeLimits) -> Self {
        self.reader.limits = limits;
        self
    }

    /// Returns the next message that is not malformed; `None` when the connection is ending and
    /// every message that had arrived was taken.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message, so that it can be used in a `select!`.
    pub async fn next(&mut self) -> Option<T> {
        std::future::poll_fn(|cx| self.poll_value(cx)).await
    }

    /// As [`next`](Self::next), but a malformed message is returned, whatever the policy says.
    ///
    /// # Errors
    /// The [`Malformed`] message. The next call goes on with the message after it.
    ///
    /// # Cancel safety
    /// As [`next`](Self::next).
    pub async fn try_next(&mut self) -> Result<Option<T>, Malformed> {
        match self.incoming.next().await {
            Some(message) => self.reader.read(0, message).map(Some),
            None => Ok(None),
        }
    }

    /// Waits for the connection's end and returns how it ended: see [`Incoming::closed`].
    ///
    /// # Cancel safety
    /// As [`Incoming::closed`].
    pub async fn closed(&mut self) -> Closed {
        self.incoming.closed().await
    }

    /// Returns the peer whose messages these are.
    pub fn peer(&self) -> &Peer {
        self.incoming.peer()
    }

    fn poll_value(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            let Some(message) = ready!(Pin::new(&mut self.incoming).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            match self.reader.read(0, message) {
                Ok(value) => return Poll::Ready(Some(value)),
                Err(malformed) => self.refuse(malformed),
            }
        }
    }

    #[cold]
    fn refuse(&self, malformed: Malformed) {
        let peer = self.incoming.peer();
        if let Err(error) = self.reader.refuse(peer, 0, malformed, Ok) {
            // The place for a failure of the loop, which goes on.
            peer.spawn(async move { Err::<(), _>(error) });
        }
    }
}

impl<T: MaybeSend + 'static> Stream for TypedIncoming<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_value(cx)
    }
}

opaque_debug!(TypedIncoming<T>);
