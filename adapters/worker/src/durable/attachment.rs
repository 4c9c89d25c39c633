use crossws_core::adapter::Snapshot;
use crossws_core::{CloseCode, CloseFrame, PersistError};
use serde::{Deserialize, Serialize};

/// Most bytes of a peer's stored state: the platform's 16,384, less what it adds of its own and
/// what this adapter adds when a connection closes.
pub const BUDGET: usize = 16_000;

/// What is stored with a socket, and found again when the object wakes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attachment {
    #[serde(rename = "s")]
    pub(crate) snapshot: Snapshot,
    /// When the connection began, in milliseconds of the epoch.
    #[serde(rename = "b", default)]
    pub(crate) began: u64,
    /// When the client was last heard, as far as that is stored.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(crate) heard: Option<u64>,
    /// When the client last sent a message, as far as that is stored.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub(crate) spoke: Option<u64>,
    /// With what this side has closed, when it has.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub(crate) closing: Option<Closing>,
}

/// A close of ours that the client has not answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Closing {
    #[serde(rename = "c")]
    code: u16,
    #[serde(rename = "r", default)]
    reason: String,
    /// Whether its time was up, rather than the application closed.
    #[serde(rename = "t", default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) by_time: bool,
    /// Until when the client may answer, in milliseconds of the epoch.
    #[serde(rename = "u")]
    pub(crate) until: u64,
}

impl Closing {
    pub(crate) fn new(frame: &CloseFrame, by_time: bool, until: u64) -> Self {
        // Control characters take six bytes each as JSON, and nobody misses them.
        let reason = frame.reason().chars().filter(|c| !c.is_control());
        Self {
            code: frame.code().get(),
            reason: reason.collect(),
            by_time,
            until,
        }
    }

    pub(crate) fn frame(&self) -> CloseFrame {
        let code = CloseCode::new(self.code).unwrap_or(CloseCode::ERROR);
        CloseFrame::new(code, self.reason.clone())
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

    /// As bytes, which the platform stores one to one; characters would be stored twice as wide
    /// as soon as one of them is not Latin-1.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, PersistError> {
        let bytes =
            serde_json::to_vec(self).map_err(|error| PersistError::Platform(error.to_string()))?;
        // A close needs no room of the budget: it must always be possible.
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

/// Most that `closing` adds: 123 bytes of reason, twice that with every one escaped, and the rest.
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
    fn what_is_stored_is_found_again() {
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
    fn the_budget_is_kept_to_the_byte_and_names_who_took_it() {
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
        // The longest that there is: each character takes two bytes as JSON, or three, or six.
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
