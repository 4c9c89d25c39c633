//! From HTTP to sockets: `hub.route(..)`.

use crossws_app::{Router, RouterError, route};
use crossws_core::{CloseCode, CloseFrame, Hub, Upgrade, hooks};
use crossws_memory::{Client, TestServer};

use crate::common::block_on;

/// Returns the routes below `/api/ws` as `crossws_codegen` names them, and two others.
fn app() -> Router {
    let quiet = || hooks();
    let files = Router::new()
        .route("", route(quiet()).name(""))
        .route("/chat", route(quiet()).name("chat"))
        .route("/rooms/{id}", route(quiet()).name("rooms/[id]"));
    let tenants = Router::new().route("/orders/:order", quiet());
    Router::new()
        .nest("/api/ws", files)
        .nest("/{tenant}/shop", tenants)
        .route(
            "/shared",
            hooks().on_upgrade(|_| async { Ok(Upgrade::new().namespace("elsewhere")) }),
        )
}

async fn connect(server: &TestServer, paths: &[&str]) -> Vec<Client> {
    let mut clients = Vec::new();
    for path in paths {
        clients.push(server.connect(path).await.unwrap());
    }
    clients
}

/// Sends to a route, and returns which clients it reached.
async fn reached(server: &TestServer, clients: &mut [Client], route: &str) -> Vec<usize> {
    let told = server.hub().route(route).send(route).unwrap();
    server.settle().await;
    let mut reached = Vec::new();
    for (number, client) in clients.iter_mut().enumerate() {
        while let Some(message) = client.try_next() {
            assert_eq!(message.text().unwrap(), route);
            reached.push(number);
        }
    }
    assert_eq!(told.queued, reached.len(), "{route}");
    assert_eq!(
        server.hub().route(route).peer_count().unwrap(),
        reached.len()
    );
    assert_eq!(
        server.hub().route(route).peers().unwrap().len(),
        reached.len()
    );
    reached
}

#[test]
fn a_route_is_reached_by_its_name_or_its_pattern_whatever_its_parameters() {
    block_on(async {
        let server = TestServer::new(app());
        let mut clients = connect(
            &server,
            &[
                "/api/ws",
                "/api/ws/chat",
                "/api/ws/rooms/1",
                "/api/ws/rooms/2",
                "/a/shop/orders/7",
                "/b/shop/orders/7",
                "/shared",
            ],
        )
        .await;
        for (route, expected) in [
            ("", vec![0]),
            ("/api/ws", vec![0]),
            ("chat", vec![1]),
            ("/api/ws/chat", vec![1]),
            ("rooms/[id]", vec![2, 3]),
            ("rooms/:id", vec![2, 3]),
            ("/api/ws/rooms/{id}", vec![2, 3]),
            ("/[tenant]/shop/orders/[order]", vec![4, 5]),
            ("{tenant}/shop/orders/{order}", vec![4, 5]),
            ("shared", vec![6]),
            ("/chat", vec![]),
            ("nothing", vec![]),
        ] {
            assert_eq!(
                reached(&server, &mut clients, route).await,
                expected,
                "{route}"
            );
        }
    });
}

#[test]
fn a_connection_that_ended_is_on_no_route() {
    block_on(async {
        let server = TestServer::new(app());
        let mut clients = connect(&server, &["/api/ws/rooms/1", "/api/ws/rooms/2"]).await;
        drop(clients.remove(0));
        server.settle().await;
        assert_eq!(reached(&server, &mut clients, "rooms/[id]").await, [0]);
        let frame = CloseFrame::new(CloseCode::RESTART, "");
        server.hub().route("rooms/[id]").close_all(frame).unwrap();
        server.settle().await;
        assert_eq!(server.hub().route("rooms/[id]").peer_count().unwrap(), 0);
    });
}

#[test]
fn a_name_that_is_another_routes_pattern_is_an_error() {
    for router in [
        Router::new()
            .route("/chat", hooks())
            .route("/talk", route(hooks()).name("chat")),
        Router::new()
            .route("/rooms/{id}", hooks())
            .route("/api/rooms/{id}", route(hooks()).name("rooms/[id]")),
    ] {
        let error = router.check().unwrap_err();
        assert!(
            matches!(error, RouterError::DuplicateName { .. }),
            "{error}"
        );
    }
}

#[test]
fn a_hub_without_all_connections_says_so() {
    let hub = Hub::builder().partial().build();
    let error = hub.route("chat").send("hello").unwrap_err();
    assert_eq!(
        error.to_string(),
        "not published: this transport does not support routes that span hubs"
    );
    assert!(hub.route("chat").peers().is_err());
    assert_eq!(hub.route("chat").here().send("hello").unwrap().queued, 0);
}
