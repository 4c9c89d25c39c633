use std::sync::OnceLock;

use crossws_core::UpgradeRequest;
use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};

use crate::error::ProxyError;

/// Most proxies that a request may have passed.
const MOST_HOPS: usize = 16;

/// Computes headers for the application.
type Compute = dyn Fn(&UpgradeRequest) -> HeaderMap + Send + Sync;

/// The headers that the upstream gets.
#[derive(Default)]
pub(crate) struct Headers {
    /// Those of the client's that are forwarded.
    pub(crate) forwarded: Vec<HeaderName>,
    pub(crate) computed: Option<Box<Compute>>,
    /// What this proxy calls itself in `Via`.
    pseudonym: OnceLock<String>,
}

impl Headers {
    /// Checks that the request has not passed this proxy, and not too many others.
    ///
    /// # Errors
    /// [`ProxyError::Loop`] and [`ProxyError::TooManyHops`].
    pub(crate) fn check_hops(&self, request: &UpgradeRequest) -> Result<(), ProxyError> {
        let own = self.pseudonym().as_bytes();
        let mut hops = 0;
        for hop in hops_of(request) {
            if hop
                .split(|byte| byte.is_ascii_whitespace())
                .any(|word| word == own)
            {
                return Err(ProxyError::Loop);
            }
            hops += 1;
        }
        match hops > MOST_HOPS {
            true => Err(ProxyError::TooManyHops(MOST_HOPS)),
            false => Ok(()),
        }
    }

    /// Returns the headers for the upstream.
    pub(crate) fn of(&self, request: &UpgradeRequest) -> HeaderMap {
        let mut headers = match &self.computed {
            Some(compute) => compute(request),
            None => HeaderMap::new(),
        };
        for name in &self.forwarded {
            if headers.contains_key(name) || is_for_one_hop(name, request) {
                continue;
            }
            for value in request.values(name) {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.append(name, value);
                }
            }
        }
        let mut via = Vec::new();
        for hop in hops_of(request) {
            via.extend_from_slice(hop);
            via.extend_from_slice(b", ");
        }
        via.extend_from_slice(b"1.1 ");
        via.extend_from_slice(self.pseudonym().as_bytes());
        if let Ok(via) = HeaderValue::from_bytes(&via) {
            headers.insert(VIA, via);
        }
        headers
    }

    fn pseudonym(&self) -> &str {
        self.pseudonym.get_or_init(|| {
            let mut bytes = [0; 8];
            // Without a random source, the number of hops ends a loop.
            let _ = getrandom::fill(&mut bytes);
            format!("crossws-{:016x}", u64::from_ne_bytes(bytes))
        })
    }
}

/// Returns the members of the request's `Via` (RFC 9110 section 7.6.3).
fn hops_of(request: &UpgradeRequest) -> impl Iterator<Item = &[u8]> {
    let values = request.values(&VIA);
    values
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|hop| !hop.is_empty())
}

/// Returns whether a header is for this connection alone (RFC 9110 section 7.6.1), or the handshake's own.
fn is_for_one_hop(name: &HeaderName, request: &UpgradeRequest) -> bool {
    const ONE_HOP: [HeaderName; 9] = [
        CONNECTION,
        CONTENT_LENGTH,
        HOST,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    ONE_HOP.contains(name)
        || *name == VIA
        || ["keep-alive", "proxy-connection"].contains(&name.as_str())
        || name.as_str().starts_with("sec-websocket-")
        || request
            .values(&CONNECTION)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|named| named.trim_ascii().eq_ignore_ascii_case(name.as_ref()))
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, COOKIE};

    use super::*;

    fn request(headers: &[(&str, &str)]) -> UpgradeRequest {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        UpgradeRequest::from_head("/", headers).unwrap()
    }

    #[test]
    fn only_listed_headers_are_forwarded_and_never_those_of_one_hop() {
        let client = request(&[
            ("host", "a"),
            ("connection", "upgrade, X-Hop"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("authorization", "secret"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("proxy-connection", "keep-alive"),
            ("sec-websocket-key", "k"),
        ]);
        let none = Headers::default().of(&client);
        assert_eq!(none.keys().collect::<Vec<_>>(), ["via"]);
        let listed = Headers {
            forwarded: [
                "cookie",
                "connection",
                "x-hop",
                "te",
                "proxy-connection",
                "sec-websocket-key",
                "host",
                "via",
                "x-absent",
            ]
            .map(HeaderName::from_static)
            .into(),
            ..Headers::default()
        };
        let headers = listed.of(&client);
        let cookies: Vec<_> = headers.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(headers.keys_len(), 2, "{headers:?}");
        assert!(!headers.contains_key(AUTHORIZATION));
    }

    #[test]
    fn computed_headers_replace_forwarded_ones() {
        let headers = Headers {
            forwarded: vec![COOKIE],
            computed: Some(Box::new(|request: &UpgradeRequest| {
                let mut headers = HeaderMap::new();
                let path = HeaderValue::from_str(request.path()).unwrap();
                headers.insert("x-path", path);
                headers.insert(COOKIE, HeaderValue::from_static("ours"));
                headers
            })),
            ..Headers::default()
        };
        let headers = headers.of(&request(&[("cookie", "theirs")]));
        assert_eq!(
            (&headers["x-path"], &headers["cookie"]),
            (&"/".parse().unwrap(), &"ours".parse().unwrap())
        );
    }

    #[test]
    fn a_loop_is_found_by_the_proxys_own_name_and_by_the_number_of_hops() {
        let proxy = Headers::default();
        let client = request(&[("via", "1.1 other")]);
        assert!(proxy.check_hops(&client).is_ok());
        let forwarded = proxy.of(&client);
        let via = forwarded["via"].to_str().unwrap();
        assert!(via.starts_with("1.1 other, 1.1 crossws-"), "{via}");
        let again = request(&[("via", via)]);
        assert!(matches!(proxy.check_hops(&again), Err(ProxyError::Loop)));
        assert!(Headers::default().check_hops(&again).is_ok());
        let many = ["1.1 x"; MOST_HOPS].join(", ");
        assert!(proxy.check_hops(&request(&[("via", &many)])).is_ok());
        let more = request(&[("via", &many), ("via", "1.1 y")]);
        assert!(matches!(
            proxy.check_hops(&more),
            Err(ProxyError::TooManyHops(MOST_HOPS))
        ));
    }
}
