//! The names of headers that a packed head does not contain.

use crate::upgrade::token::is_word;

/// The usual names of a handshake, with their usual values: most of a short one consists of them.
pub(super) static NAMES: [(&str, &[&str]); 22] = [
    ("host", &[]),
    ("upgrade", &["websocket"]),
    ("connection", &["Upgrade", "keep-alive, Upgrade"]),
    ("sec-websocket-key", &[]),
    ("sec-websocket-version", &["13"]),
    (
        "sec-websocket-extensions",
        &[
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate",
        ],
    ),
    ("sec-websocket-protocol", &[]),
    ("origin", &[]),
    ("user-agent", &[]),
    ("accept", &["*/*"]),
    (
        "accept-encoding",
        &["gzip, deflate, br, zstd", "gzip, deflate, br"],
    ),
    ("accept-language", &[]),
    ("cache-control", &["no-cache"]),
    ("pragma", &["no-cache"]),
    ("cookie", &[]),
    ("authorization", &[]),
    ("sec-fetch-dest", &["empty", "websocket"]),
    ("sec-fetch-mode", &["websocket"]),
    (
        "sec-fetch-site",
        &["same-origin", "same-site", "cross-site"],
    ),
    ("x-forwarded-for", &[]),
    ("x-forwarded-proto", &["https"]),
    ("forwarded", &[]),
];

/// Returns the index of a name in [`NAMES`], ignoring case.
pub(super) fn position(name: &str) -> Option<usize> {
    NAMES
        .iter()
        .position(|(known, _)| is_word(name.as_bytes(), known.as_bytes()))
}
