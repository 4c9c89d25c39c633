//! A request in a form for logs.

use std::fmt::{self, Write};

use super::UpgradeRequest;

/// Headers whose values hold no secrets. Of others only the names are shown.
const SHOWN: [&str; 18] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "forwarded",
    "host",
    "origin",
    "pragma",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-websocket-extensions",
    "sec-websocket-version",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-proto",
];

/// A request without what may be a secret, for a log: see [`UpgradeRequest::redacted`].
///
/// ```
/// # use crossws_core::*;
/// fn log(request: Redacted<'_>) {
///     println!("refused {request}, with the headers {request:?}");
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Redacted<'r>(pub(super) &'r UpgradeRequest);

/// Writes the method and the target; of the query only the names.
impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.method(), self.0.path())?;
        let Some(query) = self.0.query() else {
            return Ok(());
        };
        for (index, piece) in query.split('&').enumerate() {
            f.write_char(if index == 0 { '?' } else { '&' })?;
            match piece.split_once('=') {
                Some((name, _)) => write!(f, "{name}=…")?,
                // Without a value the name itself may be the token.
                None if piece.is_empty() => {}
                None => f.write_char('…')?,
            }
        }
        Ok(())
    }
}

/// Writes the headers too; values only of headers that hold no secrets.
impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeRequest")
            .field("target", &format_args!("{self}"))
            .field("headers", &RedactedHeaders(self.0))
            .field("remote_addr", &self.0.remote_addr())
            .field("secure", &self.0.is_secure())
            .field("params", self.0.params())
            .field("attached", self.0.volatile())
            .finish()
    }
}

struct RedactedHeaders<'r>(&'r UpgradeRequest);

impl fmt::Debug for RedactedHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.0.headers() {
            map.key(&format_args!("{name}"));
            if SHOWN.contains(&name.as_str()) {
                map.value(value);
            } else {
                map.value(&format_args!("…"));
            }
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::upgrade::request::UpgradeRequest;

    fn request() -> UpgradeRequest {
        let headers: [(&str, &[u8]); 5] = [
            ("host", b"example.org"),
            ("authorization", b"Bearer s3cret"),
            ("cookie", b"session=s3cret"),
            ("sec-websocket-protocol", b"chat, bearer, s3cret"),
            ("x-api-key", b"s3cret"),
        ];
        let target = "/rooms/1?page=2&token=s3cret&s3cret&empty=";
        UpgradeRequest::from_head(target, headers).unwrap()
    }

    #[test]
    fn the_display_hides_the_values_of_the_query() {
        assert_eq!(
            request().redacted().to_string(),
            "GET /rooms/1?page=…&token=…&…&empty=…"
        );
        let plain = UpgradeRequest::from_head("/a", []).unwrap();
        assert_eq!(plain.redacted().to_string(), "GET /a");
    }

    #[test]
    fn no_debug_output_shows_a_secret() {
        for request in [request(), UpgradeRequest::new(request().into_parts())] {
            for text in [format!("{request:?}"), format!("{:#?}", request.redacted())] {
                assert!(!text.contains("s3cret"), "{text}");
                assert!(
                    text.contains("example.org") && text.contains("x-api-key"),
                    "{text}"
                );
            }
        }
    }
}
