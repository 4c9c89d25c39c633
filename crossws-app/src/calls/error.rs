use std::time::Duration;

use crossws_core::adapter::excerpt;
use crossws_core::{BoxError, DecodeError, EncodeError, SendError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The error in the answer to a call, on the wire: a code, a text, and optional data. The codes are
/// those of JSON-RPC 2.0 (section 5.1). Codes from -32099 to -32000 are the server's, and all
/// others the application's.
///
/// A method that returns it answers the call with it. Any other error of a method is logged, and
/// the call is answered with [`INTERNAL`](Self::INTERNAL), whose text does not contain the error.
///
/// ```
/// use crossws_app::calls::Failure;
///
/// fn divide((a, b): (i64, i64)) -> Result<i64, Failure> {
///     a.checked_div(b).ok_or_else(|| Failure::new(1, "there is no quotient"))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{} ({code})", excerpt(.message, 1_000))]
#[non_exhaustive]
pub struct Failure {
    /// The kind of the error.
    pub code: i64,
    /// A short text for people. A client's text may be anything: `Display` shows its beginning, in
    /// one line.
    pub message: String,
    /// Further data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Failure {
    /// The message is not JSON.
    pub const PARSE: i64 = -32_700;
    /// The message is JSON, but not a call.
    pub const INVALID_REQUEST: i64 = -32_600;
    /// There is no method of this name.
    pub const METHOD_NOT_FOUND: i64 = -32_601;
    /// The arguments do not fit the method.
    pub const INVALID_PARAMS: i64 = -32_602;
    /// The method failed.
    pub const INTERNAL: i64 = -32_603;
    /// The client withdrew the call (Language Server Protocol 3.17).
    pub const CANCELLED: i64 = -32_800;
    /// This connection already runs as many calls as it may.
    pub const TOO_MANY: i64 = -32_000;

    /// Creates an error with this code and text.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// Adds data.
    #[must_use]
    pub fn data(mut self, data: impl Into<Value>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// Creates the answer for an error that a method returned. Returns any other error as it is.
    pub(super) fn of(error: BoxError) -> Result<Self, BoxError> {
        error.downcast().map(|failure| *failure)
    }
}

/// Why a call has no result: a server's to its client, or a client's to its server.
///
/// ```
/// use crossws_app::calls::{CallError, PeerCalls};
/// use crossws_core::Peer;
///
/// /// Whether the user agrees. A user who says nothing in time does not.
/// async fn confirm(peer: &Peer, question: &str) -> Result<bool, CallError> {
///     match peer.call("confirm", question).await {
///         Err(CallError::Timeout(_)) => Ok(false),
///         answer => answer,
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The other side answered with an error.
    #[error("the call was answered with an error: {0}")]
    Failed(#[from] Failure),
    /// The other side did not answer in time.
    #[error("the call was not answered within {0:?}")]
    Timeout(Duration),
    /// The connection ended before the answer.
    #[error("the connection ended before the call was answered")]
    Closed,
    /// As many calls as may already wait for their answers.
    #[error("{0} calls wait for their answers already")]
    TooMany(usize),
    /// The result does not fit the type.
    #[error("the result of the call: {0}")]
    Decode(#[from] DecodeError),
    /// The arguments cannot be encoded.
    #[error("the arguments of the call: {0}")]
    Encode(#[from] EncodeError),
    /// The call could not be sent.
    #[error(transparent)]
    Send(SendError),
    /// The connection's route has no [`calls`](crate::calls::calls).
    #[error("the peer's route has no calls")]
    NoCalls,
}

impl From<SendError> for CallError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed(_) => Self::Closed,
            error => Self::Send(error),
        }
    }
}
