/// What happens to messages while no connection is open.
///
/// ```no_run
/// use crossws_client::{WhenClosed, WhileConnecting, connect};
///
/// // Positions of a cursor: worthless when they are late.
/// let cursors = connect("wss://example.com/board")
///     .while_connecting(WhileConnecting::Drop)
///     .when_closed(WhenClosed::Drop);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhileConnecting {
    /// They wait, up to `Limits::max_buffered` bytes and `Limits::max_queued` messages; one more is
    /// returned with `SendError::Full`.
    #[default]
    Queue,
    /// They are returned with `SendError::Closed`.
    Fail,
    /// They are dropped, which `Sent::Dropped` says.
    Drop,
}

/// What happens to messages once the client has ended or is closing: see [`WhileConnecting`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenClosed {
    /// They are returned with `SendError::Closed`.
    #[default]
    Fail,
    /// They are dropped, which `Sent::Dropped` says.
    Drop,
}

/// Where a client puts its token: one of the places where servers look for it.
///
/// ```no_run
/// use crossws_client::{TokenIn, connect};
///
/// // For browsers, which cannot send headers.
/// let chat = connect("wss://example.com/chat").token_in(TokenIn::Query("token".into()), "42");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenIn {
    /// The header `Authorization: Bearer …`, read by `bearer_token()`. Not in browsers.
    Authorization,
    /// A parameter of this name in the query, read by `query_token(name)`. Queries are often logged: use
    /// short-lived tokens.
    Query(String),
    /// A subprotocol after this one, read by `protocol_token(marker)`. The server must choose a
    /// subprotocol for browsers, which otherwise drop the connection.
    Protocol(String),
}
