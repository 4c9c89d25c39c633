use http::header::{HeaderMap, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Uri};

use super::shed::headers_to_drop;
use crate::service::connection_info::ConnectionInfo;

#[derive(Clone)]
pub(super) struct Whole {
    pub(super) parts: Parts,
    pub(super) connection: ConnectionInfo,
}

impl Whole {
    /// How much a map of headers takes for each line besides its name and value.
    const LINE: usize = 104;

    /// See [`UpgradeRequest::settle`].
    pub(super) fn shed(&mut self, most: usize, kept: &[HeaderName]) {
        let parts = &mut self.parts;
        let size =
            |name: &HeaderName, value: &HeaderValue| name.as_str().len() + value.len() + Self::LINE;
        let lines = parts.headers.iter();
        let lines: usize = lines.map(|(name, value)| size(name, value)).sum();
        let target = parts.uri.to_string();
        let excess = (lines + target.len()).saturating_sub(most);
        let mut headers = HeaderMap::new();
        {
            let dropped = match excess {
                0 => Vec::new(),
                _ => {
                    let lines = parts.headers.iter();
                    let mut lines = lines.map(|(name, value)| (name.as_str(), size(name, value)));
                    headers_to_drop(&mut lines, excess, kept)
                }
            };
            for (name, value) in &parts.headers {
                if dropped.binary_search(&name.as_str()).is_err()
                    && let Ok(mut copy) = HeaderValue::from_bytes(value.as_bytes())
                {
                    copy.set_sensitive(value.is_sensitive());
                    headers.append(name, copy);
                }
            }
        }
        // Values and target may be slices that keep all of the read buffer in memory.
        parts.headers = headers;
        if let Ok(uri) = Uri::try_from(target) {
            parts.uri = uri;
        }
    }
}
