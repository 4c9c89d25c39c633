//! Routes: paths, middleware, addresses, state, and the shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use crossws_app::{PeerExt, route};
use crossws_axum::{Endpoint, WebSockets, websocket};
use crossws_core::{BoxError, HookResult, Hooks, Hub, Message, Peer, Shutdown, hooks};
use crossws_tokio::Server;
use futures_util::StreamExt;

use crate::{Client, request, serve, soon};

/// Sends a request that is no upgrade, and returns the whole response.
async fn ask(addr: SocketAddr, head: &str, body: &str) -> String {
    let len = body.len();
    let text = format!(
        "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}"
    );
    request(addr, &text).await
}

/// Sends a peer's namespace to it, and publishes each of its messages there.
struct Room;

impl Hooks for Room {
    async fn open(&self, peer: &Peer) -> HookResult {
        let params: Vec<_> = peer.params().iter().collect();
        let route = peer.route().unwrap_or_default();
        peer.send(format!("{} {route} {params:?}", peer.namespace()))?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        peer.to_all().including_self().send(message)?;
        Ok(())
    }
}

#[tokio::test]
async fn nested_routers_are_namespaces_of_their_own() {
    let orders = || Router::new().route("/orders/{id}", websocket(Room));
    let app = Router::new()
        .nest("/staff", orders())
        .nest("/public", orders())
        .with_state(Hub::default());
    let addr = serve(app).await;
    let mut staff = Client::connect(addr, "/staff/orders/42").await;
    let mut public = Client::connect(addr, "/public/orders/42").await;
    let at = "/staff/orders/42 /staff/orders/{id} [(\"id\", \"42\")]";
    assert_eq!(staff.text().await, at);
    let at = "/public/orders/42 /public/orders/{id} [(\"id\", \"42\")]";
    assert_eq!(public.text().await, at);
    staff.send("a secret").await;
    assert_eq!(staff.text().await, "a secret");
    // If the staff's message had reached this namespace, it would be here first.
    public.send("hello").await;
    assert_eq!(public.text().await, "hello");
}

#[tokio::test]
async fn parameters_of_all_nested_routers_reach_the_hooks_decoded() {
    let inner = Router::new().route("/files/{*path}", websocket(Room));
    let app = Router::new().nest("/{tenant}", inner);
    let addr = serve(app.with_state(Hub::default())).await;
    let mut client = Client::connect(addr, "/a%20b/files/c/d?q=1").await;
    let at = "/a b/files/c/d /{tenant}/files/{*path} [(\"tenant\", \"a b\"), (\"path\", \"c/d\")]";
    assert_eq!(client.text().await, at);
    let refused = Client::try_connect(addr, "/%FF/files/c", &[]).await;
    assert_eq!(refused.err(), Some(StatusCode::BAD_REQUEST));
}

#[tokio::test]
async fn settings_of_a_route_hold_for_its_connections() {
    let app = Router::new().route("/{room}", websocket(route(Room).name("room").topic("news")));
    let hub = Hub::default();
    let addr = serve(app.with_state(hub.clone())).await;
    let (mut red, mut blue) = (
        Client::connect(addr, "/red").await,
        Client::connect(addr, "/blue").await,
    );
    red.text().await;
    blue.text().await;
    let told = hub.in_all_namespaces().publish("news", "all").unwrap();
    assert_eq!(told.queued, 2);
    assert_eq!(red.text().await, "all");
    let peers = hub.peers();
    assert_eq!(peers[0].route_name().as_deref(), Some("room"));
    assert!(Arc::ptr_eq(&peers[0].settings(), &peers[1].settings()));
}

#[tokio::test]
async fn a_request_without_an_upgrade_gets_426_and_other_methods_reach_the_app() {
    let posted = || async { "posted" };
    let app = Router::new().route("/", websocket(Room).post(posted));
    let addr = serve(app.with_state(Hub::default())).await;
    let response = ask(addr, "GET /", "").await;
    assert!(response.starts_with("HTTP/1.1 426"), "{response}");
    assert!(response.contains("upgrade: websocket\r\n"), "{response}");
    assert!(ask(addr, "POST /", "").await.ends_with("posted"));
}

/// Sends the client's address.
fn address() -> impl Hooks {
    hooks().on_open(|peer| async move {
        let addr = peer.remote_addr();
        peer.send(addr.map_or("unknown".to_owned(), |addr| addr.to_string()))
    })
}

fn addresses() -> Router {
    let page = |ConnectInfo(addr): ConnectInfo<SocketAddr>| async move { addr.to_string() };
    Router::new()
        .route("/ws", websocket(address()))
        .route("/page", get(page))
        .with_state(Hub::default())
}

#[tokio::test]
async fn connect_info_of_axum_is_the_peers_address() {
    let addr = serve(addresses()).await;
    let mut client = Client::connect(addr, "/ws").await;
    let own = client.0.get_ref().local_addr().unwrap();
    assert_eq!(client.text().await, own.to_string());
}

#[tokio::test]
async fn handlers_extract_connect_info_on_a_server_of_ours() {
    let server = Server::builder(crossws_app::Router::new()).http(addresses());
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let addr = server.local_addr();
    tokio::spawn(server.run());
    let response = ask(addr, "GET /page", "").await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(response.contains("\r\n\r\n127.0.0.1:"), "{response}");
    let mut client = Client::connect(addr, "/ws").await;
    let own = client.0.get_ref().local_addr().unwrap();
    assert_eq!(client.text().await, own.to_string());
}

#[tokio::test]
async fn middleware_may_name_another_address() {
    async fn behind_proxy(mut request: Request, next: Next) -> Response {
        let client = SocketAddr::from(([192, 0, 2, 1], 9));
        request.extensions_mut().insert(ConnectInfo(client));
        next.run(request).await
    }
    let app = addresses().layer(from_fn(behind_proxy));
    let server = Server::builder(crossws_app::Router::new()).http(app.clone());
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let ours = server.local_addr();
    tokio::spawn(server.run());
    for addr in [ours, serve(app).await] {
        let mut client = Client::connect(addr, "/ws").await;
        assert_eq!(client.text().await, "192.0.2.1:9");
    }
}

#[derive(Clone)]
struct User(String);

async fn session(mut request: Request, next: Next) -> Response {
    let cookie = request.headers().get("cookie");
    let cookie = cookie.and_then(|cookie| cookie.to_str().ok());
    let Some(name) = cookie.and_then(|cookie| cookie.strip_prefix("session=")) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let user = User(name.to_owned());
    request.extensions_mut().insert(user);
    next.run(request).await
}

#[tokio::test]
async fn extensions_of_middleware_reach_every_hook() {
    let greet = hooks()
        .on_open(|peer| async move {
            let user = peer.attached::<User>()?;
            peer.send(user.0.clone())?;
            Ok::<_, BoxError>(())
        })
        .on_message(|peer, _| async move {
            // Without `adopt`, the value is where the middleware put it.
            let user = peer.request().parts().extensions.get::<User>();
            peer.send(user.map_or("nobody", |user| &user.0).to_owned())
        });
    let app = Router::new()
        .route("/", websocket(route(greet).adopt::<User>()))
        .layer(from_fn(session));
    let addr = serve(app.with_state(Hub::default())).await;
    let cookie = [("cookie", "session=ann")];
    let mut ann = Client::try_connect(addr, "/", &cookie).await.ok().unwrap();
    assert_eq!(ann.text().await, "ann");
    ann.send("again").await;
    assert_eq!(ann.text().await, "ann");
    let refused = Client::try_connect(addr, "/", &[]).await;
    assert_eq!(refused.err(), Some(StatusCode::UNAUTHORIZED));
}

#[tokio::test]
async fn a_handler_publishes_with_the_hub_of_its_state() {
    let notify = |State(hub): State<Hub>, Path(id): Path<u64>, note: String| async move {
        let told = hub.in_namespace(&format!("/orders/{id}")).broadcast(note);
        told.unwrap().queued.to_string()
    };
    let app = Router::new()
        .route("/orders/{id}", websocket(Room))
        .route("/orders/{id}/notify", post(notify));
    let addr = serve(app.with_state(Hub::default())).await;
    let mut client = Client::connect(addr, "/orders/7").await;
    client.text().await;
    let response = ask(addr, "POST /orders/7/notify", "shipped").await;
    assert!(response.ends_with("\r\n\r\n1"), "{response}");
    assert_eq!(client.text().await, "shipped");
    let response = ask(addr, "POST /orders/8/notify", "shipped").await;
    assert!(response.ends_with("\r\n\r\n0"), "{response}");
}

#[tokio::test]
async fn a_handler_decides_itself_whether_it_upgrades() {
    let endpoint = Endpoint::new(Room);
    let page = move |Path(id): Path<u64>, sockets: Option<WebSockets>| {
        let endpoint = endpoint.clone();
        async move {
            match sockets {
                None => "a page".into_response(),
                Some(_) if id == 0 => StatusCode::GONE.into_response(),
                Some(sockets) => sockets.upgrade(&endpoint).await,
            }
        }
    };
    let app = Router::new().route("/orders/{id}", get(page));
    let addr = serve(app.with_state(Hub::default())).await;
    assert!(ask(addr, "GET /orders/1", "").await.ends_with("a page"));
    let refused = Client::try_connect(addr, "/orders/0", &[]).await;
    assert_eq!(refused.err(), Some(StatusCode::GONE));
    let mut client = Client::connect(addr, "/orders/1").await;
    let at = "/orders/1 /orders/{id} [(\"id\", \"1\")]";
    assert_eq!(client.text().await, at);
}

/// Fails to start the first time, and counts the attempts.
struct Starts(Arc<AtomicUsize>);

impl Hooks for Starts {
    async fn start(&self, _: &Hub) -> HookResult {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Err("no database yet".into()),
            _ => Ok(()),
        }
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        peer.send(self.0.load(Ordering::Relaxed).to_string())?;
        Ok(())
    }
}

#[tokio::test]
async fn the_start_hook_runs_until_it_succeeds_once() {
    let starts = Starts(Arc::default());
    let app = Router::new().route("/", websocket(starts));
    let addr = serve(app.with_state(Hub::default())).await;
    let refused = Client::try_connect(addr, "/", &[]).await;
    assert_eq!(refused.err(), Some(StatusCode::SERVICE_UNAVAILABLE));
    for _ in 0..2 {
        assert_eq!(Client::connect(addr, "/").await.text().await, "2");
    }
}

#[tokio::test]
async fn a_shutdown_drops_what_outlives_the_grace_on_every_route() {
    // A hook that never ends.
    let stuck = || {
        hooks().on_message(|peer, _| async move {
            peer.send("in the hook")?;
            std::future::pending::<HookResult>().await
        })
    };
    let app = Router::new()
        .route("/a", websocket(stuck()))
        .route("/b", websocket(stuck()));
    let hub = Hub::default();
    let addr = serve(app.with_state(hub.clone())).await;
    let mut clients = Vec::new();
    for path in ["/a", "/b"] {
        let mut client = Client::connect(addr, path).await;
        client.send("go").await;
        assert_eq!(client.text().await, "in the hook");
        clients.push(client);
    }
    let stop = Shutdown::default().grace(Duration::from_millis(1));
    let report = soon("the shutdown", crossws_axum::shutdown(&hub, stop)).await;
    assert_eq!((report.closed, report.forced), (2, 2));
    for mut client in clients {
        while let Some(Ok(message)) = soon("the end", client.0.next()).await {
            assert!(message.is_close(), "{message:?}");
        }
    }
    assert_eq!(hub.peers().len(), 0);
    let refused = Client::try_connect(addr, "/a", &[]).await;
    assert_eq!(refused.err(), Some(StatusCode::SERVICE_UNAVAILABLE));
}

#[tokio::test]
async fn a_hook_calls_the_app_itself_and_a_handler_reaches_a_route() {
    let hub = Hub::default();
    let asks = || {
        hooks().on_message(|peer, message| async move {
            let response = peer.api().get(message.text()?).await?;
            peer.send(format!(
                "{} {}",
                response.status().as_u16(),
                response.text()?
            ))?;
            Ok::<_, BoxError>(())
        })
    };
    async fn notify(State(hub): State<Hub>) -> String {
        hub.route("/{tenant}/orders/:id")
            .send("note")
            .unwrap()
            .queued
            .to_string()
    }
    let orders = Router::new()
        .route("/orders/{id}", websocket(asks()))
        .route("/notes", websocket(asks()));
    let app = Router::new()
        .nest("/{tenant}", orders)
        .route("/notify", post(notify))
        .route(
            "/health",
            get(|ConnectInfo(addr): ConnectInfo<SocketAddr>| async move { addr.ip().to_string() }),
        )
        .with_state(hub.clone());
    let addr = serve(crossws_axum::with_api(app, &hub)).await;
    let mut one = Client::connect(addr, "/a/orders/1").await;
    let mut other = Client::connect(addr, "/b/orders/2").await;
    let mut notes = Client::connect(addr, "/b/notes").await;
    for (path, said) in [("/health", "200 127.0.0.1"), ("none", "404 ")] {
        one.send(path).await;
        assert_eq!(one.text().await, said);
    }
    let told = ask(addr, "POST /notify", "").await;
    assert!(told.ends_with("2"), "{told}");
    assert_eq!(
        (one.text().await, other.text().await),
        ("note".to_owned(), "note".to_owned())
    );
    notes.send("/health").await;
    assert_eq!(notes.text().await, "200 127.0.0.1", "no note before it");
}
