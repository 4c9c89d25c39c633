use http::StatusCode;

use super::extensions::Malformed;

/// Why a server's response opens no WebSocket. The client must drop the connection and send nothing
/// on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// A status other than 101. HTTP's rules for it apply: a redirection, a login, a refusal.
    #[error("the server answered {0} where 101 opens a WebSocket")]
    Status(StatusCode),
    /// A version other than HTTP/1.1, the only one that defines 101.
    #[error("the answer is not of HTTP/1.1")]
    Version,
    /// There is not exactly one `Upgrade: websocket`.
    #[error("the Upgrade header is not \"websocket\"")]
    Upgrade,
    /// `Connection` does not name `Upgrade`.
    #[error("the Connection header does not name Upgrade")]
    Connection,
    /// `Sec-WebSocket-Accept` does not match the key: the response belongs to no WebSocket
    /// handshake, or to another one.
    #[error("the Sec-WebSocket-Accept header does not fit the key")]
    Accept,
    /// The server chose a subprotocol that was not offered, or several.
    #[error("the server chose a subprotocol that was not offered")]
    Protocol,
    /// `Sec-WebSocket-Extensions` is malformed.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The server chose an extension that was not offered, or one twice.
    #[error("the server uses an extension that was not offered")]
    Extension,
    /// The parameters of permessage-deflate do not match the offer (RFC 7692 section 7.1).
    #[error("the parameters of permessage-deflate do not fit the offer")]
    Parameters,
    /// The server declined permessage-deflate, which the configuration requires strictly.
    #[error("the server declined permessage-deflate")]
    Declined,
}
