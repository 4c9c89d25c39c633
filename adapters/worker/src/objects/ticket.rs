//! How an accepted upgrade travels from the Worker to its object.

use crossws_core::adapter::Snapshot;

/// The header of the internal request that carries the peer.
pub(crate) const TICKET: &str = "crossws-ticket";

/// The header of the internal request that carries a command.
pub(crate) const COMMAND: &str = "crossws-command";

pub(crate) fn write(snapshot: &Snapshot) -> Result<String, serde_json::Error> {
    serde_json::to_string(snapshot).map(|json| ascii(&json))
}

pub(crate) fn read(ticket: &str) -> Result<Snapshot, serde_json::Error> {
    // From bytes, as every other JSON here: for text there would be another decoder.
    serde_json::from_slice(ticket.as_bytes())
}

/// Encodes JSON as ASCII, which a header can carry. Characters outside ASCII occur only in strings,
/// where an escape means the same.
pub(crate) fn ascii(json: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_ascii_and_stays_the_same() {
        for text in ["plain", "é", "\u{7f}", "žluťoučký", "日本", "🦀", "\"\\\n"] {
            let json = serde_json::to_string(text).unwrap();
            let ascii = ascii(&json);
            assert!(
                ascii.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
                "{ascii}"
            );
            assert_eq!(serde_json::from_str::<String>(&ascii).unwrap(), text);
        }
    }
}
