use crossws_core::adapter::Snapshot;
use crossws_core::{CloseCode, CloseFrame, PersistError};
use serde::{Deserialize, Serialize};

/// The most bytes of a peer's stored state: the platform's 16,384, minus what the platform adds,
/// and minus what this adapter adds when a connection closes.
pub const BUDGET: usize = 16_000;

/// The state that is stored with a socket, and read again when the object wakes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attachment {
    #[serde(rename = "s")]
    pub(crate) snapshot: Snapshot,
    /// When the connection began, in milliseconds since the epoch.
    #[serde(rename = "b", default)]
    pub(crate) began: u64,
    /// When the client last sent anything, as far as that is stored.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(crate) heard: Option<u64>,
    /// When the client last sent a message, as far as that is stored.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub(crate) spoke: Option<u64>,
    /// How this side has closed, if it has.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(crate) closing: Option<Closing>,
}

/// A close of this side that the client has not answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Closing {
    #[serde(rename = "c")]
    code: u16,
    #[serde(rename = "r", default)]
    reason: String,
    /// Whether a deadline closed the connection, and not the application.
    #[serde(rename = "t", default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) by_time: bool,
    /// Until when the client may reply, in milliseconds since the epoch.
    #[serde(rename = "u")]
    pub(crate) until: u64,
}

impl Closing {
    pub(crate) fn new(frame: &CloseFrame, by_time: bool, until: u64) -> Self {
        // Control characters take six bytes each as JSON, and carry no meaning in a reason.
        let reason = frame.reason().chars().filter(|c| !c.is_control());
        Self {
            code: frame.status(),
            reason: reason.collect(),
            by_time,
            until,
        }
    }

    pub(crate) fn frame(&self) -> CloseFrame {
        let code = CloseCode::new(self.code);
        code.map_or_else(CloseFrame::without_code, |code| {
            CloseFrame::new(code, self.reason.clone())
        })
    }
}

impl Attachment {
    pub(crate) fn new(snapshot: Snapshot, began: u64) -> Self {
        Self {
            snapshot,
            began,
            heard: None,
            spoke: None,
            closing: None,
        }
    }

    /// Encodes it as bytes, which the platform stores one to one. It would store characters in
    /// twice the size as soon as one of them is not Latin-1.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, PersistError> {
        let bytes =
            serde_json::to_vec(self).map_err(|error| PersistError::Platform(error.to_string()))?;
        // A close does not count against the budget: it must always be possible.
        let spare = if self.closing.is_some() { CLOSING } else { 0 };
        if bytes.len() > BUDGET + spare {
            return Err(PersistError::too_big(&self.snapshot, bytes.len(), BUDGET));
        }
        Ok(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// The most bytes that `closing` adds: a reason of 123 bytes, twice that with every byte escaped,
/// and the rest.
const CLOSING: usize = 325;

#[cfg(test)]
mod tests {
    use crossws_core::adapter::SnapshotPart;
    use serde_json::json;

    use super::*;

    fn attachment(namespace: &str, topics: usize) -> Attachment {
        let topics: Vec<_> = (0..topics).map(|n| format!("topic/{n}")).collect();
        let snapshot = json!({
            "i": "00000000-0000-4000-8000-000000000000", "n": namespace, "u": "/ws",
            "t": topics, "c": { "name": "žluťoučký" },
        });
        Attachment::new(serde_json::from_value(snapshot).unwrap(), 1_700_000_000_000)
    }

    #[test]
    fn stored_state_is_read_back() {
        let mut before = attachment("/rooms/1", 300);
        before.heard = Some(7);
        let bytes = before.encode().unwrap();
        let after = Attachment::decode(&bytes).unwrap();
        assert_eq!(after.snapshot.namespace(), "/rooms/1");
        assert_eq!(after.snapshot.topics().count(), 300);
        assert_eq!((after.began, after.heard), (1_700_000_000_000, Some(7)));
        assert_eq!(after.encode().unwrap(), bytes);
    }

    #[test]
    fn the_budget_is_exact_and_its_error_names_the_largest_part() {
        let len = attachment("", 0).encode().unwrap().len();
        let fits = attachment(&"n".repeat(BUDGET - len), 0);
        assert_eq!(fits.encode().unwrap().len(), BUDGET);
        let error = attachment(&"n".repeat(BUDGET - len + 1), 0)
            .encode()
            .unwrap_err();
        assert!(
            matches!(error, PersistError::TooBig { part: SnapshotPart::Namespace, len, most: BUDGET, .. }
                if len == BUDGET + 1),
            "{error:?}"
        );
        let error = attachment("", 2_000).encode().unwrap_err();
        assert!(matches!(
            error,
            PersistError::TooBig {
                part: SnapshotPart::Topics,
                ..
            }
        ));
    }

    #[test]
    fn a_close_always_finds_room() {
        let len = attachment("", 0).encode().unwrap().len();
        let mut full = attachment(&"n".repeat(BUDGET - len), 0);
        // The longest possible reasons: each character takes two bytes as JSON, or three, or six.
        for reason in ["\"".repeat(123), "日".repeat(41), "\u{1}".repeat(123)] {
            let frame = CloseFrame::new(CloseCode::AWAY, reason.clone());
            full.closing = Some(Closing::new(&frame, true, u64::MAX));
            let bytes = full.encode().unwrap();
            assert!(
                bytes.len() < 16_384 - 64,
                "the platform's own limit: {}",
                bytes.len()
            );
            let closing = Attachment::decode(&bytes).unwrap().closing.unwrap();
            assert_eq!(closing.frame().code(), CloseCode::AWAY);
        }
    }
}
