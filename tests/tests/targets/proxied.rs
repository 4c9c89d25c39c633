//! The tokio adapter behind a proxy: clients connect to the proxy, and the suite's application is its
//! upstream.

#![allow(clippy::unwrap_used, unreachable_pub, dead_code)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use crossws_conformance::cases::Case;
use crossws_conformance::net::Port;
use crossws_conformance::{
    Connected, Control, Fut, LONG, Profile, Reply, Report, Server, Shutdown, Target,
};
use crossws_core::{Capabilities, Deflate, Hub, Limit, Origin, UpgradeRequest};
use crossws_proxy::Proxy;
use crossws_tokio::Tokio;
use http::{HeaderMap, HeaderName, Request, Response};

use crate::native::Native;

/// A server of the suite's application, and a proxy to it.
pub struct Proxied;

/// What each of the two connections has for itself, so that a proxy does not carry it.
const OWN: [Capabilities; 9] = [
    Capabilities::COMPRESSION,
    Capabilities::DRAIN,
    Capabilities::HEARTBEAT,
    Capabilities::PING,
    Capabilities::RAW_FRAMES,
    Capabilities::RAW_HTTP,
    Capabilities::RAW_STREAM,
    Capabilities::REMOTE_ADDR,
    Capabilities::TERMINATE,
];

/// Cases that the capabilities select and a proxy does not carry, by the reason.
const NOT_CARRIED: &[(&str, &[&str])] = &[
    (
        "the upstream's refusal is a 502 of the proxy",
        &[
            "refusal::a_refusal_is_any_response",
            "refusal::a_refusal_comes_before_any_101",
            "refusal::an_error_that_converts_is_a_refusal",
            "refusal::an_error_that_says_nothing_is_a_500_without_details",
            "refusal::a_panic_in_the_upgrade_is_a_500",
            "refusal::a_panic_in_the_resolver_is_a_500",
            "refusal::a_deadline_bounds_the_upgrade",
            "refusal::a_refusal_leaves_nothing_behind",
            "refusal::a_subprotocol_that_was_not_offered_fails_the_upgrade",
            "refusal::an_id_in_use_is_refused",
            "refusal::a_namespace_with_too_long_a_name_is_refused",
            "refusal::a_full_hub_refuses",
            "refusal::an_unclaimed_route_goes_to_the_http_service",
            "refusal::a_stream_is_not_taken_for_a_time",
            "routes::a_path_without_a_route_passes_on",
            "routes::a_layer_refuses_before_any_hook",
            "routes::nested_routes_inherit_layers",
            "routes::authentication_lets_in_or_answers_401",
            "routes::a_path_or_query_of_another_type_is_a_400_that_names_the_field",
            "routes::a_strange_cookie_hides_no_other",
            "stopping::a_stopping_server_accepts_no_peer",
        ],
    ),
    (
        "the proxy checks the client's origin, and names another host to the upstream",
        &[
            "refusal::a_foreign_origin_is_refused",
            "refusal::the_origin_null_is_refused",
            "refusal::the_same_origin_and_no_origin_are_accepted",
            "refusal::a_port_that_a_proxy_has_dropped_is_forgiven",
            "refusal::a_listed_origin_is_accepted",
            "peer::its_url_is_what_the_client_dialled",
        ],
    ),
    (
        "headers of the upstream's 101 are not the client's",
        &[
            "upgrade::accepting_appends_headers",
            "upgrade::repeated_cookies_are_all_kept",
            "routes::global_hooks_answer_with_the_route",
        ],
    ),
    (
        "the upstream's peer is the proxy, which is not lost and answers a close",
        &[
            "closing::a_client_that_vanishes_is_1006_by_the_network",
            "loops::a_loop_is_told_of_a_client_that_vanishes",
            "timing::a_client_that_never_answers_the_close_is_dropped",
        ],
    ),
    (
        "the upstream has its adapter's capabilities, and not only those that pass the proxy",
        &[
            "peer::its_capabilities_are_the_targets",
            "upgrade::without_a_stream_to_be_taken_there_is_a_500",
            "waiting::where_nothing_is_known_to_wait_there_is_room",
        ],
    ),
];

/// Returns the names of the cases that are excluded.
pub fn not_carried() -> impl Iterator<Item = &'static str> {
    let names = NOT_CARRIED.iter().map(|(_, names)| names.iter().copied());
    names.flatten()
}

impl Target for Proxied {
    fn name(&self) -> &str {
        "tokio, proxied"
    }

    fn capabilities(&self) -> Capabilities {
        OWN.into_iter()
            .fold(crossws_native::CAPABILITIES, Capabilities::without)
    }

    fn reads_heads(&self) -> bool {
        false
    }

    fn excludes(&self, case: &Case) -> Option<&'static str> {
        let name = case.to_string();
        let mut reasons = NOT_CARRIED.iter();
        let excluded = reasons.find(|(_, cases)| cases.contains(&name.as_str()));
        excluded.map(|(reason, _)| *reason)
    }

    fn start(&self, profile: Profile) -> Fut<'_, Box<dyn Server>> {
        Box::pin(async move {
            let upstream = Native::<Tokio>::new("upstream").local(profile).await;
            let addr = upstream.addr;
            // Bounds are the upstream's to test.
            let limits = Profile::default().limits();
            let limits = limits.max_message_size(Limit::Unlimited);
            let proxy =
                Proxy::to(move |request: UpgradeRequest| format!("ws://{addr}{}", request.uri()))
                    .allow_hosts([addr.ip().to_string()])
                    .allow_addresses(|_| true)
                    .headers(all)
                    .connect_timeout(LONG)
                    .limits(limits.clone().max_buffered(16 << 20))
                    .deflate(Deflate::default());
            let hub = Hub::builder().limits(limits).origin(Origin::Any).build();
            let server = crossws_tokio::Server::builder(proxy)
                .hub(hub)
                .bind("127.0.0.1:0");
            let server = server.await.unwrap();
            let proxy = server.local_addr();
            tokio::spawn(async { server.run().await.unwrap() });
            Box::new(Both {
                proxy,
                upstream: Box::new(upstream),
            }) as Box<dyn Server>
        })
    }
}

/// Returns every header that is not one hop's own.
fn all(request: &UpgradeRequest) -> HeaderMap {
    let is_own = |name: &HeaderName| {
        ["connection", "host", "upgrade"].contains(&name.as_str())
            || name.as_str().starts_with("sec-websocket-")
    };
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers() {
        if !is_own(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

struct Both {
    proxy: SocketAddr,
    upstream: Box<dyn Server>,
}

impl Server for Both {
    fn connect(&self, request: Request<()>) -> Fut<'_, Result<Connected, Option<Response<Bytes>>>> {
        Box::pin(async move { Port::new(self.proxy).upgrade(request).await })
    }

    fn control(&self, control: Control) -> Fut<'_, Reply> {
        self.upstream.control(control)
    }

    fn http(&self, request: Request<Bytes>) -> Fut<'_, Response<Bytes>> {
        self.upstream.http(request)
    }

    fn advance(&self, time: Duration) -> Fut<'_, ()> {
        self.upstream.advance(time)
    }

    fn shutdown(&self, order: Shutdown) -> Fut<'_, Report> {
        self.upstream.shutdown(order)
    }
}
