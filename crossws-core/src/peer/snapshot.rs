pub(crate) mod persist_error;
mod persisting;

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::bounds::BoxError;
use crate::hub::settings::Settings;
use crate::hub::settings::limits::Stored;
use crate::peer::id::PeerId;
use crate::peer::snapshot::persist_error::{PersistError, SnapshotPart};
use crate::upgrade::request::{Params, UpgradeRequest};

/// The persistent state of a peer: a hibernating transport stores it, and it travels from where the
/// `upgrade` hook ran to where the peer lives.
///
/// The serialized form is short, and readable by later versions of this crate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(rename = "i")]
    pub(crate) id: PeerId,
    #[serde(rename = "n")]
    pub(crate) namespace: String,
    #[serde(rename = "u")]
    target: String,
    /// Absent for GET, the method of nearly all requests.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    #[serde(rename = "s", default, skip_serializing_if = "is_false")]
    secure: bool,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    remote_addr: Option<SocketAddr>,
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    params: Vec<(String, String)>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(crate) protocol: Option<String>,
    #[serde(
        rename = "c",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) context: Option<Value>,
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) topics: Vec<String>,
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) patterns: Vec<String>,
    #[serde(rename = "y", default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<String>,
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// The pattern of the route.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    /// The name of the route.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    route_name: Option<String>,
    /// The limits that the route sets.
    #[serde(rename = "k", default, skip_serializing_if = "Stored::is_empty")]
    limits: Stored,
    /// When the credentials end, in milliseconds of the epoch.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<u64>,
    /// The timers, with times in milliseconds of the epoch.
    #[serde(rename = "d", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) timers: Vec<(String, u64)>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_false(value: &bool) -> bool {
    !value
}

/// Distinguishes a context that is `null`, as `()` is, from a missing one.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Copies a name as it is stored.
pub(crate) fn owned(name: &Arc<str>) -> String {
    (**name).to_owned()
}

impl Snapshot {
    /// Creates the snapshot of a peer, with those of its request's headers that `keep` names.
    pub(crate) fn new(
        id: PeerId,
        namespace: &str,
        request: &UpgradeRequest,
        keep: impl Fn(&HeaderName) -> bool,
    ) -> Self {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            // Each byte of a value becomes the character of the same number, which loses nothing.
            let value = value.as_bytes().iter().copied().map(char::from).collect();
            (name.as_str().to_owned(), value)
        };
        let headers = request.headers().iter();
        Self {
            id,
            namespace: namespace.to_owned(),
            target: request.uri().to_string(),
            method: (*request.method() != Method::GET).then(|| request.method().to_string()),
            headers: headers.filter(|(name, _)| keep(name)).map(header).collect(),
            secure: request.is_secure(),
            remote_addr: request.remote_addr(),
            params: request
                .params()
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            protocol: None,
            context: None,
            topics: Vec::new(),
            patterns: Vec::new(),
            identity: None,
            tags: Vec::new(),
            route: None,
            route_name: None,
            limits: Stored::new(),
            expires: None,
            timers: Vec::new(),
        }
    }

    /// Notes the route that these settings belong to, and the limits that are not its hub's.
    pub(crate) fn set_route(&mut self, settings: &Settings, hub: &Settings) {
        self.route = settings.route().map(owned);
        self.route_name = settings.route_name().map(owned);
        self.limits = settings.limits.to_stored(&hub.limits);
    }

    /// Returns what is known of the route's settings before its hooks are: its pattern, its name
    /// and its limits, over the hub's settings.
    pub fn settings(&self, hub: &Arc<Settings>) -> Arc<Settings> {
        if self.route.is_none() && self.route_name.is_none() && self.limits.is_empty() {
            return Arc::clone(hub);
        }
        let shared = |name: &Option<String>| name.as_deref().map(Arc::from);
        let mut settings = hub.on_route(shared(&self.route), shared(&self.route_name));
        settings.limits.apply_stored(&self.limits);
        Arc::new(settings)
    }

    /// Returns the peer's id.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Returns the path and query of the peer's request.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the peer's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the negotiated subprotocol, if there is one.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Returns the peer's topics.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(String::as_str)
    }

    /// Returns the peer's identity and its tags.
    pub(crate) fn labels(&self) -> (Option<Arc<str>>, Vec<Arc<str>>) {
        let shared = |name: &String| Arc::from(name.as_str());
        let identity = self.identity.as_ref().map(shared);
        (identity, self.tags.iter().map(shared).collect())
    }

    /// Keeps only those of the request's headers that `keep` names.
    #[must_use]
    pub fn with_headers(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.headers.retain(|(name, _)| keep(name));
        self
    }

    /// Returns the part that takes the most bytes, and how many.
    fn largest(&self) -> (SnapshotPart, usize) {
        let pairs = |pairs: &[(String, String)]| -> usize {
            let pairs = pairs.iter();
            pairs.map(|(name, value)| name.len() + value.len()).sum()
        };
        let names = |names: &[String]| names.iter().map(|name| name.len() + 3).sum::<usize>();
        let name = |name: &Option<String>| name.as_ref().map_or(0, String::len);
        let context = self.context.as_ref();
        let limits: usize = self.limits.keys().map(|name| name.len() + 12).sum();
        let route = name(&self.route) + name(&self.route_name) + limits;
        let timers = self.timers.iter().map(|(name, _)| name.len() + 19);
        [
            (
                SnapshotPart::Target,
                self.target.len() + pairs(&self.params) + route,
            ),
            (SnapshotPart::Headers, pairs(&self.headers)),
            (SnapshotPart::Namespace, self.namespace.len()),
            (
                SnapshotPart::Context,
                context.map_or(0, |json| json.to_string().len()),
            ),
            (
                SnapshotPart::Topics,
                names(&self.topics) + names(&self.patterns),
            ),
            (
                SnapshotPart::Labels,
                name(&self.identity) + names(&self.tags),
            ),
            (SnapshotPart::Timers, timers.sum()),
        ]
        .into_iter()
        .max_by_key(|(_, len)| *len)
        .unwrap_or((SnapshotPart::Context, 0))
    }

    /// Returns the original request, with the kept headers.
    pub(crate) fn request(&self) -> Result<UpgradeRequest, RestoreError> {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
            let value = HeaderValue::from_bytes(&bytes.unwrap_or_default());
            headers.append(
                HeaderName::from_str(name).map_err(RestoreError::new)?,
                value.map_err(RestoreError::new)?,
            );
        }
        // Not with the builder, whose code for every kind of part a Worker would have.
        let mut parts = Request::new(()).into_parts().0;
        let method = self.method.as_deref().map(str::parse);
        parts.method = method
            .transpose()
            .map_err(RestoreError::new)?
            .unwrap_or(Method::GET);
        parts.uri = self.target.parse().map_err(RestoreError::new)?;
        parts.headers = headers;
        let mut request = UpgradeRequest::new(parts)
            .with_remote_addr(self.remote_addr)
            .with_secure(self.secure);
        request.set_params(Params::from_iter(self.params.iter().cloned()));
        Ok(request)
    }

    pub(crate) fn topics_shared(&self) -> Vec<Arc<str>> {
        self.topics().map(Arc::from).collect()
    }
}

/// Why a stored peer could not be restored.
#[derive(Debug, thiserror::Error)]
#[error("a stored peer cannot be restored")]
pub struct RestoreError(#[source] BoxError);

impl RestoreError {
    pub(crate) fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }
}

impl PersistError {
    /// Creates the error for a snapshot of `len` bytes, when there is room for `most`.
    pub fn too_big(snapshot: &Snapshot, len: usize, most: usize) -> Self {
        let (part, part_len) = snapshot.largest();
        Self::TooBig {
            len,
            most,
            part,
            part_len,
        }
    }
}
