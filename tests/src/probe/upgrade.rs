use std::time::Duration;

use crossws_core::{BoxError, Rejection, Upgrade, UpgradeRequest};
use http::Response;
use serde_json::{Value, json};

use super::ProbeContext;
use crate::{Ask, Journal, Refuse};

/// An application's own error, which converts into a refusal.
struct Denied;

impl From<Denied> for Rejection {
    fn from(_: Denied) -> Self {
        Self::unauthorized("Bearer realm=\"probe\"")
    }
}

pub(super) async fn answer(
    journal: &Journal,
    request: &UpgradeRequest,
) -> Result<Upgrade, Rejection> {
    let ask = Ask::of(request);
    journal.record(&ask.who, "upgrade", shown(request));
    if let Some(gate) = &ask.wait {
        journal.pass(gate).await;
    }
    if ask.panic {
        panic!("probe: panic in the upgrade hook");
    }
    if let Some(refuse) = ask.refuse {
        return Err(refusal(refuse).into());
    }
    if ask.deny {
        Err(Denied)?;
    }
    if ask.fail {
        Err(BoxError::from("a secret detail"))?;
    }
    let mut upgrade = Upgrade::new();
    for (name, value) in &ask.headers {
        upgrade = upgrade.header(name, value)?;
    }
    for topic in ask.topics {
        upgrade = upgrade.topic(topic);
    }
    for tag in ask.tags {
        upgrade = upgrade.tag(tag);
    }
    if let Some(identity) = ask.identity {
        upgrade = upgrade.identity(identity);
    }
    if let Some(namespace) = ask.namespace {
        upgrade = upgrade.namespace(namespace);
    }
    if let Some(value) = ask.context {
        upgrade = upgrade.context(ProbeContext { value });
    }
    if let Some(millis) = ask.expires {
        upgrade = upgrade.expires(Duration::from_millis(millis));
    }
    if let Some(id) = ask.id {
        upgrade = upgrade.id(id);
    }
    if let Some(protocol) = &ask.protocol {
        upgrade = upgrade.protocol(protocol.as_str());
    } else {
        let supported: Vec<&str> = ask.choose.iter().map(String::as_str).collect();
        upgrade = upgrade.protocol(request.choose_protocol(&supported));
    }
    Ok(upgrade)
}

fn refusal(refuse: Refuse) -> Response<String> {
    let mut response = Response::builder().status(refuse.status);
    for (name, value) in refuse.headers {
        response = response.header(name, value);
    }
    response.body(refuse.body).unwrap()
}

/// Returns the request as the hook sees it.
fn shown(request: &UpgradeRequest) -> Value {
    json!({
        "method": request.method().as_str(),
        "target": request.uri().path_and_query().map(|target| target.as_str()),
        "url": request.url(),
        "headers": headers(request.headers()),
        "remote": request.remote_addr().map(|addr| addr.ip().to_string()),
        "params": request.params().iter().collect::<Vec<_>>(),
    })
}

/// Returns headers as pairs, in order of their names.
pub(crate) fn headers(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut pairs: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    pairs.sort();
    pairs
}
