use std::net::{IpAddr, SocketAddr};

use crossws_core::{Rejection, UpgradeRequest};

use crate::layers::layer::Layer;

/// Trusts what this many proxies before the server report about the client: its address
/// (`X-Forwarded-For`) and whether it uses TLS (`X-Forwarded-Proto`).
///
/// Each proxy adds one entry at the end, so the client's is that many from the right. The client
/// may have written the entries before it. A header with fewer entries changes nothing, and neither
/// does any header with a number of 0, for a server that is reached without a proxy. Use this
/// only if every connection comes through the proxies. By default no header is trusted:
/// [`UpgradeRequest::remote_addr`] is the socket's, and URLs say `ws` if the socket is plain.
///
/// ```
/// use crossws_app::{Router, behind_proxies};
/// # use crossws_core::hooks;
///
/// let app = Router::new()
///     .layer(behind_proxies(1))
///     .route("/chat", hooks());
/// ```
#[doc(alias = "X-Forwarded-For")]
#[doc(alias = "trust proxy")]
pub fn behind_proxies(hops: usize) -> BehindProxies {
    BehindProxies { hops }
}

/// See [`behind_proxies`].
#[derive(Debug, Clone, Copy)]
pub struct BehindProxies {
    hops: usize,
}

impl Layer for BehindProxies {
    fn decides_who(&self) -> bool {
        false
    }

    async fn before(&self, request: &mut UpgradeRequest) -> Result<(), Rejection> {
        let addr = self
            .entry(request, "x-forwarded-for")
            .and_then(|entry| address(&entry));
        if let Some(addr) = addr {
            request.set_remote_addr(Some(addr));
        }
        match self.entry(request, "x-forwarded-proto").as_deref() {
            Some("https" | "wss") => request.set_secure(true),
            Some("http" | "ws") => request.set_secure(false),
            _ => {}
        }
        Ok(())
    }
}

impl BehindProxies {
    /// Returns the entry of the outermost proxy, in a header that may have several lines.
    fn entry(&self, request: &UpgradeRequest, name: &str) -> Option<String> {
        let lines = request.headers().get_all(name);
        let entries: Vec<_> = lines
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .collect();
        let at = entries.len().checked_sub(self.hops)?;
        let entry = std::str::from_utf8(entries.get(at)?).ok()?;
        Some(entry.trim().to_ascii_lowercase())
    }
}

/// Parses an address with or without a port; an IPv6 address may be in brackets.
fn address(entry: &str) -> Option<SocketAddr> {
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip = bare.unwrap_or(entry).parse::<IpAddr>();
    ip.map(|ip| SocketAddr::new(ip, 0))
        .or_else(|_| entry.parse())
        .ok()
}
