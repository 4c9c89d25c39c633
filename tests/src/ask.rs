use crossws_core::{CloseCode, OnError, PeerId, UpgradeRequest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Do;

/// What a request asks the probe to do. It is in the request's query, so that every later hook has
/// it, even if the server slept in between.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ask {
    /// The connection's name in the journal.
    pub who: String,
    /// Refuse with this response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuse: Option<Refuse>,
    /// Fail with an error that converts into a 401, by `?`.
    pub deny: bool,
    /// Fail with an error that says nothing about HTTP, by `?`.
    pub fail: bool,
    /// Panic in the upgrade hook.
    pub panic: bool,
    /// Wait for this gate in the upgrade hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    /// Put the peer into this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Give the peer this context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Value>,
    /// Give the peer this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<PeerId>,
    /// Choose this subprotocol, offered or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Choose the first of these that was offered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choose: Vec<String>,
    /// Append these to the response.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Subscribe the peer before `open`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// Give the peer this identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Give the peer these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Write down what the `subscription` hook is told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub subscriptions: bool,
    /// Let the peer's credentials expire after this many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// Do this in `open`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Do>,
    /// Do this in `drain`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drain: Vec<Do>,
    /// Do this in `close`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub close: Vec<Do>,
    /// Return this from `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_error: Option<Policy>,
}

/// A refusal's whole response.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Refuse {
    /// The status.
    pub status: u16,
    /// The headers. A name may occur twice.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// The result of the `error` hook.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Go on.
    Keep,
    /// Close with this.
    Close {
        /// The code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// Panic in the error hook too.
    Panic,
}

impl Policy {
    pub(crate) fn answer(self) -> OnError {
        match self {
            Self::Keep => OnError::Keep,
            Self::Close { code, reason } => OnError::Close(crossws_core::CloseFrame::new(
                CloseCode::new(code).unwrap(),
                reason,
            )),
            Self::Panic => panic!("probe: panic in the error hook"),
        }
    }
}

impl Ask {
    /// An ask that only names its connection.
    pub fn named(who: &str) -> Self {
        Self {
            who: who.to_owned(),
            ..Self::default()
        }
    }

    /// Returns the request target for `path`, which may have a query, with this ask.
    pub fn target(&self, path: &str) -> String {
        let json = serde_json::to_string(self).unwrap();
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}ask={}", encode(&json))
    }

    /// Returns what a request asks; the default if it contains no ask.
    pub fn of(request: &UpgradeRequest) -> Self {
        request
            .query()
            .and_then(|query| {
                query
                    .split('&')
                    .find_map(|piece| piece.strip_prefix("ask="))
            })
            .and_then(|text| serde_json::from_slice(&decode(text)).ok())
            .unwrap_or_default()
    }
}

/// Percent-encodes everything but letters and digits.
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let digits = (byte == b'%').then(|| [bytes.next(), bytes.next()]);
        decoded.push(match digits {
            Some([Some(high), Some(low)]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
                digit(high) << 4 | digit(low)
            }
            _ => byte,
        });
    }
    decoded
}
