use crossws_client::split_unix_url;
use http::Uri;

use crate::error::ProxyError;

/// The hosts that a target may have. Without a list there is no check: the URL is the application's own.
#[derive(Clone)]
pub(crate) struct Hosts(pub(crate) Option<Vec<String>>);

impl Hosts {
    /// Checks that a URL names an allowed host.
    ///
    /// # Errors
    /// Names the host.
    pub(crate) fn check(&self, url: &str) -> Result<(), ProxyError> {
        let Some(listed) = &self.0 else {
            return Ok(());
        };
        let refused = |host: &str| ProxyError::HostNotAllowed(host.to_owned());
        if let Some((file, _)) = split_unix_url(url) {
            let entry = format!("ws+unix:{file}");
            return match listed.contains(&entry) {
                true => Ok(()),
                false => Err(refused(&entry)),
            };
        }
        let uri: Uri = url
            .parse()
            .map_err(|_| refused("a URL that cannot be read"))?;
        let (host, port) = match uri.authority() {
            Some(authority) => (authority.host(), authority.port_u16()),
            None => return Err(refused("a URL without a host")),
        };
        let default = match uri.scheme_str() {
            Some("wss" | "https") => 443,
            _ => 80,
        };
        let port = port.unwrap_or(default);
        match listed.iter().any(|entry| admits(entry, host, port)) {
            true => Ok(()),
            false => Err(refused(host)),
        }
    }
}

/// Returns whether an entry is this host: `example.com`, `*.example.com`, `*`, each with a port or
/// without.
fn admits(entry: &str, host: &str, port: u16) -> bool {
    let (name, wanted) = match entry.rsplit_once(':') {
        // Not the last part of an IPv6 address.
        Some((name, number)) if !number.ends_with(']') => match number.parse() {
            Ok(number) => (name, Some(number)),
            Err(_) => return false,
        },
        _ => (entry, None),
    };
    if wanted.is_some_and(|wanted: u16| wanted != port) {
        return false;
    }
    // The final dot of an absolute name changes nothing but the text.
    let host = host.strip_suffix('.').unwrap_or(host);
    match name.strip_prefix("*.") {
        Some(parent) => {
            let cut = host.len().checked_sub(parent.len() + 1);
            cut.and_then(|cut| host.split_at_checked(cut))
                .is_some_and(|(label, rest)| {
                    let rest = rest.strip_prefix('.');
                    !label.is_empty() && rest.is_some_and(|rest| rest.eq_ignore_ascii_case(parent))
                })
        }
        None => name == "*" || name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(entries: &[&str]) -> Hosts {
        Hosts(Some(
            entries.iter().map(|&entry| entry.to_owned()).collect(),
        ))
    }

    #[test]
    fn hosts_are_allowed_by_name_and_port() {
        let hosts = listed(&[
            "a.example",
            "*.rooms.example",
            "b.example:9000",
            "[::1]:7",
            "[::2]",
            "ws+unix:/run/app.sock",
        ]);
        for url in [
            "ws://a.example",
            "wss://A.example.:8443/x",
            "ws://x.rooms.example",
            "ws://x.y.ROOMS.example/",
            "ws://b.example:9000",
            "ws://[::1]:7/",
            "wss://[::2]/",
            "ws+unix:/run/app.sock:/path",
            "ws+unix:///run/app.sock",
        ] {
            assert!(hosts.check(url).is_ok(), "{url}");
        }
        for url in [
            "ws://example",
            "ws://a.example.evil.test",
            "ws://evila.example",
            "ws://rooms.example",
            "ws://.rooms.example",
            "ws://xrooms.example",
            "ws://b.example",
            "ws://[::1]",
            "ws://a.example@evil.test/",
            "ws://evil.test/a.example",
            "ws://evil.test?a.example",
            "ws+unix:/run/other.sock",
            "ws+unix:/run/../run/app.sock",
            "/a.example",
            "",
        ] {
            assert!(hosts.check(url).is_err(), "{url}");
        }
        assert!(listed(&[]).check("ws://a.example").is_err());
        assert!(listed(&["*"]).check("ws://a.example").is_ok());
        assert!(listed(&["*"]).check("ws+unix:/run/app.sock").is_err());
        assert!(listed(&["*:443"]).check("wss://a.example").is_ok());
        assert!(listed(&["*:443"]).check("ws://a.example").is_err());
    }

    #[test]
    fn the_host_that_is_refused_is_named() {
        let error = listed(&["a"])
            .check("ws://b.example:9/x?token=secret")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the host \"b.example\" is not one that the proxy may connect to"
        );
        // In one line of a log.
        let forged = listed(&["a"]).check("ws+unix:/a\n500 b").unwrap_err();
        assert!(!forged.to_string().contains('\n'));
    }
}
