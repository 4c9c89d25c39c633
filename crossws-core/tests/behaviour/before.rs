//! Code that runs for a route before its `upgrade` hook.

use std::sync::Arc;

use crossws_core::{
    BeforeUpgrade, BoxFuture, Hub, Origin, Rejection, Resolution, Resolve, Route, RouteSettings,
    SharedHooks, UpgradeRequest, hooks,
};
use futures_lite::future::block_on;
use http::StatusCode;

use crate::common::*;

/// Attaches the parameter `user`, or refuses one without rights, or panics.
struct Gate(Log);

struct User(String);

impl BeforeUpgrade for Gate {
    fn run<'a>(&'a self, request: &'a mut UpgradeRequest) -> BoxFuture<'a, Result<(), Rejection>> {
        Box::pin(async move {
            let user = request.params().get("user").unwrap_or_default().to_owned();
            self.0.add(format!("before {user}"));
            match user.as_str() {
                "nobody" => Err(StatusCode::FORBIDDEN.into()),
                "panic" => panic!("on purpose"),
                _ => {
                    request.attach(User(user));
                    Ok(())
                }
            }
        })
    }
}

struct App(Log);

impl Resolve for App {
    type Hooks = SharedHooks;

    async fn resolve(self: &Arc<Self>, request: &mut UpgradeRequest) -> Resolution<SharedHooks> {
        let user = request.path().trim_start_matches('/').to_owned();
        let log = self.0.clone();
        let greets = hooks()
            .on_upgrade(move |request| {
                let user = request.attached::<User>().map(|user| user.0.clone());
                log.add(format!("upgrade {}", user.unwrap_or_default()));
                async { Ok(crossws_core::Upgrade::new()) }
            })
            .on_message(|peer, _| async move {
                let user = peer.attached::<User>().unwrap();
                peer.send(user.0.as_str())
            });
        let settings = RouteSettings::new().origin(Origin::Same);
        Route::new(Arc::new(SharedHooks::new(greets)))
            .params([("user", user)].into_iter().collect())
            .settings(&Arc::new(settings))
            .before(Arc::new(Gate(self.0.clone())))
            .into()
    }
}

#[test]
fn before_runs_before_the_hook_with_the_routes_parameters() {
    let log = Log::default();
    let app = Arc::new(App(log.clone()));
    let (mut session, wire) = open(&Hub::default(), &app, "/ann");
    assert_eq!(log.take(), ["before ann", "upgrade ann"]);
    block_on(session.message("who".into()));
    assert_eq!(wire.texts(), ["ann"]);
}

#[test]
fn before_may_refuse_and_a_panic_in_it_is_a_500() {
    let log = Log::default();
    let app = Arc::new(App(log.clone()));
    let hub = Hub::default();
    let refused = upgrade(&hub, &app, request("/nobody")).unwrap_err();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let refused = upgrade(&hub, &app, request("/panic")).unwrap_err();
    assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(log.take(), ["before nobody", "before panic"]);
    assert_empty(&hub);
}

#[test]
fn before_does_not_run_for_what_the_origin_or_a_shutdown_refuses() {
    let log = Log::default();
    let app = Arc::new(App(log.clone()));
    let hub = Hub::default();
    let headers = [("origin", "https://evil.example"), ("host", "good.example")];
    let refused = upgrade(&hub, &app, request_with("/ann", &headers)).unwrap_err();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    hub.shutdown(crossws_core::CloseFrame::new(
        crossws_core::CloseCode::RESTART,
        "",
    ));
    let refused = upgrade(&hub, &app, request("/ann")).unwrap_err();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(log.take(), [] as [&str; 0]);
}

#[test]
fn before_runs_again_for_a_peer_that_wakes() {
    let log = Log::default();
    let app = Arc::new(App(log.clone()));
    let hub = Hub::default();
    let accepted = accept(&hub, &app, "/ann");
    assert!(
        !accepted.gives_extensions(),
        "what it attached need not travel"
    );
    let snapshot = accepted.snapshot(wall_clock()).unwrap();
    log.take();

    let object = Hub::default();
    let wire = Wire::sleepy(4096);
    let seat = object.restore(&snapshot, wire.transport()).unwrap();
    let mut session = block_on(seat.claim(&app)).unwrap().resume();
    assert_eq!(log.take(), ["before ann"]);
    block_on(session.message("who".into()));
    assert_eq!(wire.texts(), ["ann"]);
}
