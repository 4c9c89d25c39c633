//! What a test asks of a client: the next message as a value, or as the one that it expects.

use std::future::poll_fn;
use std::panic::Location;
use std::task::Poll;
use std::time::Duration;

use crossws_core::{DecodeError, IntoMessage, Message};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::patience::Patience;
use crate::client::{Client, CloseEvent};

/// A message that a test waited for, and did not get.
///
/// ```
/// use crossws_core::hooks;
/// use crossws_memory::{NotHeard, TestServer};
///
/// # futures_lite::future::block_on(async {
/// let greets = hooks().on_open(|peer| async move { peer.send("hello") });
/// let mut client = TestServer::new(greets).connect("/").await?;
/// let error = client.next_json::<u32>().await.unwrap_err();
/// assert!(matches!(error, NotHeard::Decode { .. }), "{error}");
/// # Ok::<_, crossws_memory::ConnectError>(()) }).unwrap();
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotHeard {
    /// Nothing arrived within the [patience](crate::TestServerBuilder::patience) of the server.
    #[error("nothing arrived within {0:?}")]
    Nothing(Duration),
    /// The connection has ended, and all messages were taken.
    #[error("the connection ended with {} `{}`", .0.code, .0.reason)]
    Ended(CloseEvent),
    /// A message arrived that does not fit the type.
    #[error("`{message}` arrived: {error}")]
    #[non_exhaustive]
    Decode {
        /// The message.
        message: Message,
        /// Why it does not fit.
        #[source]
        error: DecodeError,
    },
}

/// What follows waits without moving virtual time, as [`next`](Client::next) does, and for hooks that
/// wait for something real, but for at most the [patience](crate::TestServerBuilder::patience) of the
/// server: a message that never comes is a failure, and not a test that hangs.
impl Client {
    /// The next message as JSON of this type.
    ///
    /// # Errors
    /// When none arrives, or another.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn next_json<T: DeserializeOwned>(&mut self) -> Result<T, NotHeard> {
        let message = self.arrival().await?;
        decode(message, |message| message.json())
    }

    /// Takes the next message, which must be this one: JSON is compared as values, other text and
    /// bytes as they are.
    ///
    /// ```
    /// use crossws_core::{Json, hooks};
    /// use crossws_memory::TestServer;
    /// use serde_json::json;
    ///
    /// # futures_lite::future::block_on(async {
    /// let app = hooks().on_open(|peer| async move { peer.send(r#"{"a": 1, "b": 2}"#) });
    /// let mut client = TestServer::new(app).connect("/").await?;
    /// client.expect(Json(json!({ "b": 2, "a": 1 }))).await;
    /// # Ok::<_, crossws_memory::ConnectError>(()) }).unwrap();
    /// ```
    ///
    /// # Panics
    /// When another message arrives or none, with both and the line of the test.
    #[track_caller]
    pub fn expect(&mut self, message: impl IntoMessage) -> impl Future<Output = ()> {
        let at = Location::caller();
        let expected = message.into_message();
        async move {
            let expected = expected.unwrap_or_else(|error| fail(at, format_args!("{error}")));
            if let Err(missed) = self.hear(&expected).await {
                fail(at, format_args!("{missed}"));
            }
        }
    }

    /// Takes the next message, and says in what it differs from this one.
    pub(crate) async fn hear(&mut self, expected: &Message) -> Result<(), String> {
        match self.arrival().await {
            Ok(heard) if is_same(expected, &heard) => Ok(()),
            Ok(heard) => Err(format!("expected `{expected}`, heard `{heard}`")),
            Err(error) => Err(format!("expected `{expected}`, but {error}")),
        }
    }

    /// Lets everything run that can, and makes sure that no message has arrived.
    ///
    /// # Panics
    /// When one has, with it and the line of the test.
    #[track_caller]
    pub fn expect_nothing(&mut self) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            if let Some(heard) = self.heard().await.first() {
                fail(at, format_args!("expected nothing, heard `{heard}`"));
            }
        }
    }

    /// Lets everything run that can, and takes all messages that have arrived.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn heard(&mut self) -> Vec<Message> {
        self.quiet().await;
        std::iter::from_fn(|| self.try_next()).collect()
    }

    /// As [`heard`](Self::heard), as JSON of this type.
    ///
    /// # Errors
    /// When one of the messages is another; all of them are taken.
    pub async fn heard_json<T: DeserializeOwned>(&mut self) -> Result<Vec<T>, NotHeard> {
        let heard = self.heard().await.into_iter();
        heard
            .map(|message| decode(message, |message| message.json()))
            .collect()
    }

    /// The next message, if it comes in time.
    pub(crate) async fn arrival(&mut self) -> Result<Message, NotHeard> {
        let limit = self.patience();
        let mut patience = Patience::new(limit);
        let next = poll_fn(|cx| match self.poll_message(cx) {
            Poll::Ready(message) => Poll::Ready(Ok(message)),
            Poll::Pending if patience.is_over(cx.waker()) => {
                Poll::Ready(Err(NotHeard::Nothing(limit)))
            }
            Poll::Pending => Poll::Pending,
        })
        .await?;
        match next {
            Some(message) => Ok(message),
            None => Err(NotHeard::Ended(self.closed().await)),
        }
    }
}

pub(crate) fn decode<T>(
    message: Message,
    read: impl FnOnce(&Message) -> Result<T, DecodeError>,
) -> Result<T, NotHeard> {
    read(&message).map_err(|error| NotHeard::Decode { message, error })
}

fn is_same(expected: &Message, heard: &Message) -> bool {
    let both_are_text = matches!((expected, heard), (Message::Text(_), Message::Text(_)));
    expected == heard
        || both_are_text
            && matches!(
                (expected.json::<Value>(), heard.json::<Value>()),
                (Ok(expected), Ok(heard)) if expected == heard
            )
}

// A test that is not met panics, as an assertion does.
#[allow(clippy::panic)]
pub(crate) fn fail(at: &Location<'_>, what: std::fmt::Arguments<'_>) -> ! {
    panic!("{at}: {what}")
}
