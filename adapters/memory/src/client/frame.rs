use bytes::Bytes;
use crossws_core::{CloseFrame, Message};

/// A frame as a client receives it: a message or a control frame.
///
/// ```
/// use crossws_core::hooks;
/// use crossws_memory::{Frame, TestServer};
///
/// # futures_lite::future::block_on(async {
/// let pings = hooks().on_open(|peer| async move { peer.ping("are you there?") });
/// let mut client = TestServer::new(pings).connect("/").await?;
/// assert_eq!(client.next_frame().await, Some(Frame::Ping("are you there?".into())));
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Frame {
    /// A message.
    Message(Message),
    /// A ping, from a hook or the heartbeat. The client has already answered it, unless
    /// [`auto_pong`](crate::Client::auto_pong) is off.
    Ping(Bytes),
    /// A pong: the reply to [`ping`](crate::Client::ping), or unsolicited.
    Pong(Bytes),
    /// A close frame, `None` without a code. The client has already answered it, unless
    /// [`auto_close`](crate::Client::auto_close) is off. No frame follows it.
    Close(Option<CloseFrame>),
}
