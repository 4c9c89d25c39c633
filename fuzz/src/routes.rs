use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crossws_app::{Pattern, RequestExt, Router, RouterError, TrailingSlash};
use crossws_core::{Hub, Resolution, Resolve, UpgradeRequest, hooks};
use http::Request;
use serde::Deserialize;

/// A type whose fields require all kinds of values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Strict {
    a: u8,
    b: Option<bool>,
    c: char,
    id: Option<i64>,
}

/// Treats each line as a path or a pattern. A pattern's text parses to the same pattern, a router
/// accepts the patterns or names two that conflict, and a path finds the same route each time. Its
/// parameters are read, or named in an error that fits into a line of a log.
pub fn routes(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.lines();
    let path = lines.next().unwrap_or_default();
    let mut router = Router::new().trailing_slash(TrailingSlash::Optional);
    let mut patterns = Vec::new();
    for line in lines.take(16) {
        let Ok(pattern) = Pattern::parse(line) else {
            continue;
        };
        assert_eq!(Pattern::parse(&pattern.to_string()).as_ref(), Ok(&pattern));
        let alone = Router::new().route(line, hooks());
        assert_eq!(alone.check(), Ok(()));
        router = router.route(line, hooks());
        patterns.push(pattern);
    }
    match router.check() {
        Ok(()) => {}
        Err(RouterError::Conflict { pattern, existing }) => {
            assert!(patterns.contains(&pattern) && patterns.contains(&existing));
            return;
        }
        Err(error) => panic!("{error}"),
    }
    let Ok(request) = Request::get(path).body(()) else {
        return;
    };
    let mut request = UpgradeRequest::new(request.into_parts().0);
    let router = Arc::new(router);
    match ready(router.resolve(&mut request)) {
        Resolution::Route(route) => {
            let again = ready(router.resolve(&mut request));
            assert!(
                matches!(again, Resolution::Route(same) if Arc::ptr_eq(same.hooks(), route.hooks()))
            );
            // Fails only for a path that is too long.
            if let Ok(claim) = ready(Hub::default().claim(&router, request)) {
                read_params(claim.request());
            }
        }
        Resolution::Pass => {}
        Resolution::Reject(rejection) => assert_eq!(rejection.status(), 400),
    }
}

/// Reads all parameters as text, and as values that they may not be.
fn read_params(request: &UpgradeRequest) {
    let read: BTreeMap<String, String> = request.path_as().unwrap();
    let pairs = read.iter().map(|(name, value)| (&**name, &**value));
    let params: BTreeMap<_, _> = request.params().iter().collect();
    assert!(pairs.eq(params));
    if let Err(error) = request.path_as::<Strict>() {
        let text = error.to_string();
        assert!(
            text.len() < 2_000 && !text.contains(char::is_control),
            "{text:?}"
        );
    }
}

/// Polls a future that never waits.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a router that waits"),
    }
}
