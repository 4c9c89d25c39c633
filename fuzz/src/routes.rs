use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crossws_app::{Pattern, Router, RouterError, TrailingSlash};
use crossws_core::{Resolution, Resolve, UpgradeRequest, hooks};
use http::Request;

/// Treats each line as a path or a pattern. A pattern's text parses to the same pattern, a router
/// accepts the patterns or names two that conflict, and a path finds the same route each time.
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
    match resolve(&router, &mut request) {
        Resolution::Route(route) => {
            let again = resolve(&router, &mut request);
            assert!(
                matches!(again, Resolution::Route(same) if Arc::ptr_eq(same.hooks(), route.hooks()))
            );
        }
        Resolution::Pass => {}
        Resolution::Reject(rejection) => assert_eq!(rejection.status(), 400),
    }
}

/// Resolves a route, which never waits.
fn resolve<R: Resolve>(router: &Arc<R>, request: &mut UpgradeRequest) -> Resolution<R::Hooks> {
    match pin!(router.resolve(request)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(resolution) => resolution,
        Poll::Pending => panic!("a router that waits"),
    }
}
