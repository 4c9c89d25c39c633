use std::net::SocketAddr;
use std::sync::Arc;

use crossws_core::{Deflate, Limits};
use http::{HeaderMap, Uri};

use crate::error::ConnectError;

/// One try: where to connect to, and what to offer.
pub(crate) struct Dial {
    pub(crate) target: Target,
    pub(crate) protocols: Vec<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) settings: Arc<ConnectionSettings>,
}

/// What a platform does with each connection that it opens.
#[derive(Clone, Default)]
pub(crate) struct ConnectionSettings {
    pub(crate) limits: Limits,
    pub(crate) deflate: Option<Deflate>,
    /// Decides about each address of the URL's host.
    pub(crate) allow: Option<Arc<Allow>>,
    #[cfg(all(feature = "sockets", not(target_family = "wasm")))]
    pub(crate) proxy: Option<crate::HttpProxy>,
    #[cfg(all(feature = "sockets", feature = "tls", not(target_family = "wasm")))]
    pub(crate) tls: Option<crate::ClientTls>,
}

pub(crate) type Allow = dyn Fn(SocketAddr) -> bool + Send + Sync;

/// A parsed URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) secure: bool,
    pub(crate) place: Place,
    /// The `Host` header's value, and in URLs the part before the path.
    pub(crate) authority: String,
    /// The path with the query.
    pub(crate) path: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A name or an address; an IPv6 address is in brackets.
    Host { host: String, port: u16 },
    /// A path to a Unix-domain socket.
    Unix(String),
}

impl Target {
    /// Parses a URL of `ws`, `wss`, `http`, `https`, or `ws+unix:PATH[:TARGET]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        if let Some((socket, path)) = split_unix_url(url) {
            return Self::unix(socket, path);
        }
        if url.contains('#') {
            // RFC 6455 section 3.
            return Err(ConnectError::Url("a fragment has no meaning in it"));
        }
        let uri: Uri = url
            .parse()
            .map_err(|_| ConnectError::Url("it is not a URL"))?;
        let secure = match uri.scheme_str() {
            Some("wss" | "https") => true,
            Some("ws" | "http") => false,
            Some(_) => return Err(ConnectError::Url("its scheme is neither ws nor wss")),
            None => return Err(ConnectError::Url("it has no scheme, such as wss://")),
        };
        let authority = uri
            .authority()
            .ok_or(ConnectError::Url("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(ConnectError::Url(
                "credentials do not belong there: set a token or a header",
            ));
        }
        if authority.host().is_empty() {
            return Err(ConnectError::Url("it names no host"));
        }
        // A port that is too large is none to the parser.
        let after = authority.as_str().strip_prefix(authority.host());
        let port = match (after.unwrap_or_default(), authority.port_u16()) {
            ("", _) => None,
            (_, Some(port @ 1..)) => Some(port),
            _ => return Err(ConnectError::Url("its port is not a port")),
        };
        let default = if secure { 443 } else { 80 };
        let path = uri.path_and_query().map_or("/", |target| target.as_str());
        Ok(Self {
            secure,
            place: Place::Host {
                host: authority.host().to_owned(),
                port: port.unwrap_or(default),
            },
            // The default port is left out, as browsers do.
            authority: match port {
                Some(port) if port == default => authority.host().to_owned(),
                _ => authority.as_str().to_owned(),
            },
            path: match path.starts_with('/') {
                true => path.to_owned(),
                false => format!("/{path}"),
            },
        })
    }

    fn unix(socket: &str, path: &str) -> Result<Self, ConnectError> {
        if socket.is_empty() {
            return Err(ConnectError::Url("it names no socket"));
        }
        if !path.starts_with('/') || path.parse::<Uri>().is_err() || path.contains('#') {
            return Err(ConnectError::Url("its target is not a path"));
        }
        Ok(Self {
            secure: false,
            place: Place::Unix(socket.to_owned()),
            authority: "localhost".to_owned(),
            path: path.to_owned(),
        })
    }

    /// Adds a parameter to the query.
    pub(crate) fn add_query(&mut self, name: &str, value: &str) {
        let encode =
            |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        let mark = if self.path.contains('?') { '&' } else { '?' };
        self.path = format!("{}{mark}{}={}", self.path, encode(name), encode(value));
    }

    /// Returns the URL for a platform that opens it itself.
    #[cfg(any(test, feature = "memory", target_family = "wasm"))]
    pub(crate) fn url(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

/// Returns the file and the target of the URL of a Unix-domain socket, `ws+unix:FILE[:TARGET]`; `None`
/// for any other URL. Neither is checked.
#[doc(hidden)] // for the proxy, which must see the file that the client connects to
pub fn split_unix_url(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("ws+unix:")?;
    // `ws+unix:///run/app.sock:/path` and `ws+unix:/run/app.sock:/path`.
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    Some(rest.split_once(':').unwrap_or((rest, "/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(url: &str) -> (bool, String, u16, String, String) {
        let target = Target::parse(url).unwrap();
        let Place::Host { host, port } = target.place else {
            panic!("{url} is not a host");
        };
        (target.secure, host, port, target.authority, target.path)
    }

    #[test]
    fn urls_name_a_host_a_port_and_a_path() {
        let cases = [
            ("ws://a", (false, "a", 80, "a", "/")),
            ("wss://a/b?c=d", (true, "a", 443, "a", "/b?c=d")),
            ("http://a:80/", (false, "a", 80, "a", "/")),
            ("https://a:8443?x", (true, "a", 8443, "a:8443", "/?x")),
            ("ws://[::1]:9/x", (false, "[::1]", 9, "[::1]:9", "/x")),
        ];
        for (url, (secure, name, port, authority, path)) in cases {
            let expected = (secure, name.into(), port, authority.into(), path.into());
            assert_eq!(host(url), expected, "{url}");
        }
    }

    #[test]
    fn urls_of_unix_sockets_have_a_file_and_a_path() {
        for (url, file, path) in [
            ("ws+unix:/run/a.sock", "/run/a.sock", "/"),
            ("ws+unix:///run/a.sock:/b?c", "/run/a.sock", "/b?c"),
            ("ws+unix:a.sock:/", "a.sock", "/"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.place, Place::Unix(file.into()));
            assert_eq!(target.path, path);
        }
    }

    #[test]
    fn other_urls_are_refused_with_the_reason() {
        for url in [
            "",
            "a",
            "/a",
            "ftp://a",
            "ws:///a",
            "ws://a#b",
            "ws://user:secret@a",
            "ws://a:0",
            "ws://a:99999",
            "ws://a b",
            "ws+unix:",
            "ws+unix:/a:b",
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(matches!(error, ConnectError::Url(_)), "{url}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_token_in_the_query_is_encoded() {
        let mut target = Target::parse("ws://a/b").unwrap();
        target.add_query("token", "a&b=c/d");
        assert_eq!(target.path, "/b?token=a%26b%3Dc%2Fd");
        target.add_query("x", "1");
        assert_eq!(target.url(), "ws://a/b?token=a%26b%3Dc%2Fd&x=1");
    }
}
