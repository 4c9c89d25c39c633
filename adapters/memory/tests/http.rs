//! The application's HTTP service together with its sockets, in memory.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use crossws_core::http::{Request, Response, StatusCode};
use crossws_core::{ApiError, Body, Hub, hooks, pass};
use crossws_memory::TestServer;
use futures_lite::future::block_on;
use tower_service::Service;

/// `POST /notify` sends to all peers, `/big` returns a large page, `/health` a small one.
#[derive(Clone)]
struct Pages(Hub);

impl Service<Request<Body>> for Pages {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut response = Response::new(String::new());
        *response.body_mut() = match (request.method().as_str(), request.uri().path()) {
            ("POST", "/notify") => {
                let told = self.0.in_all_namespaces().broadcast("note").unwrap();
                told.queued.to_string()
            }
            ("GET", "/hub") => {
                let hub = request.extensions().get::<Hub>().unwrap();
                hub.stats().peers.to_string()
            }
            ("GET", "/big") => "x".repeat(2 << 20),
            ("GET", "/health") => format!("ok for {}", request.headers()["host"].to_str().unwrap()),
            _ => {
                *response.status_mut() = StatusCode::NOT_FOUND;
                "no such page".to_owned()
            }
        };
        ready(Ok(response))
    }
}

#[test]
fn a_test_calls_the_http_service_and_its_clients_hear_of_it() {
    block_on(async {
        let hub = Hub::default();
        let server = TestServer::builder(hooks())
            .hub(hub.clone())
            .http(Pages(hub))
            .build();
        let mut client = server.connect("/").await.unwrap();
        let told = server.post("/notify").await.unwrap();
        assert_eq!((told.status().as_u16(), told.text().unwrap()), (200, "1"));
        assert_eq!(client.next().await.unwrap().text().unwrap(), "note");
        assert_eq!(server.get("/hub").await.unwrap().text().unwrap(), "1");
    });
}

#[test]
fn a_hook_calls_the_http_service_and_gets_any_status() {
    block_on(async {
        let hub = Hub::default();
        let app = hooks().on_message(|peer, message| async move {
            let said = match peer.api().get(message.text()?).await {
                Ok(response) => format!("{} {}", response.status().as_u16(), response.text()?),
                Err(error) => error.to_string(),
            };
            peer.send(said)?;
            Ok::<_, crossws_core::BoxError>(())
        });
        let server = TestServer::builder(app)
            .hub(hub.clone())
            .http(Pages(hub))
            .build();
        let mut client = server.connect("http://shop.example/").await.unwrap();
        for (path, said) in [
            ("/health", "200 ok for shop.example"),
            ("/hub", "200 1"),
            ("none", "404 no such page"),
            ("/big", "the response's body has more than 1048576 bytes"),
        ] {
            client.send(path).unwrap();
            assert_eq!(client.next().await.unwrap().text().unwrap(), said);
        }
    });
}

#[test]
fn without_a_service_the_api_is_a_typed_error() {
    block_on(async {
        let hub = Hub::default();
        let server = TestServer::builder(hooks()).hub(hub.clone()).build();
        let error = hub.api().get("/health").await.unwrap_err();
        assert!(matches!(error, ApiError::NoService), "{error}");
        let error = server.get("/health").await.unwrap_err();
        assert!(matches!(error, ApiError::NoService), "{error}");
    });
}

#[test]
fn a_service_that_holds_the_hub_ends_with_its_server() {
    block_on(async {
        let hub = Hub::default();
        let server = TestServer::builder(hooks())
            .hub(hub.clone())
            .http(Pages(hub.clone()))
            .build();
        assert_eq!(
            hub.api().get("/health").await.unwrap().text().unwrap(),
            "ok for localhost"
        );
        drop(server);
        let error = hub.api().get("/health").await.unwrap_err();
        assert!(matches!(error, ApiError::NoService), "{error}");
    });
}

#[test]
fn an_upgrade_that_no_hooks_claim_is_the_services() {
    block_on(async {
        let hub = Hub::default();
        let server = TestServer::builder(pass()).http(Pages(hub)).build();
        let refusal = server.connect("/health").await.unwrap_err();
        assert_eq!(refusal.status(), 200);
        assert_eq!(refusal.response().body(), "ok for localhost");
    });
}

/// A session's layer around a service: refuses a request without a user, and attaches the user to
/// others.
#[derive(Clone)]
struct Session<S>(S);

#[derive(Clone)]
struct User(String);

impl<S, B> Service<Request<Body>> for Session<S>
where
    S: Service<Request<Body>, Response = Response<B>, Future: Send + 'static>,
    B: http_body::Body<Data = crossws_core::Bytes, Error: Into<crossws_core::BoxError>>
        + Send
        + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = crossws_core::BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Some(user) = request.headers().get("x-user") else {
            let mut refused = Response::new(Body::default());
            *refused.status_mut() = StatusCode::UNAUTHORIZED;
            return Box::pin(async move { Ok(refused) });
        };
        let user = User(user.to_str().unwrap().to_owned());
        request.extensions_mut().insert(user);
        let response = self.0.call(request);
        Box::pin(async move { Ok(response.await?.map(Body::new)) })
    }
}

/// Sends the user that the request's extensions name.
fn greets() -> crossws_core::HooksBuilder {
    hooks().on_open(|peer| async move {
        let parts = peer.request().parts();
        let user = parts.extensions.get::<User>().map(|user| user.0.clone());
        peer.send(format!(
            "{user:?} {} {:?}",
            peer.namespace(),
            peer.remote_addr().is_some()
        ))
    })
}

#[test]
fn sockets_before_http_skip_the_services_layers() {
    block_on(async {
        let pages = Session(Pages(Hub::default()));
        let server = TestServer::builder(greets()).http(pages).build();
        let mut client = server.connect("/a").await.unwrap();
        assert_eq!(client.next().await.unwrap().text().unwrap(), "None /a true");
        assert_eq!(server.get("/health").await.unwrap().status(), 401);
    });
}

#[test]
fn sockets_through_http_pass_the_services_layers() {
    block_on(async {
        let server = TestServer::builder(greets()).http_through(Session).build();
        assert_eq!(server.connect("/a").await.unwrap_err().status(), 401);
        let mut client = server.connect("/a").header("x-user", "ann").await.unwrap();
        assert_eq!(
            client.next().await.unwrap().text().unwrap(),
            "Some(\"ann\") /a true"
        );
        let page = server.get("/a").header("x-user", "ann").await.unwrap();
        assert_eq!(page.status(), 404);
    });
}

#[test]
fn a_service_without_its_sockets_upgrades_nothing() {
    block_on(async {
        let hub = Hub::default();
        let through = TestServer::builder(greets()).http_through(|_| Pages(hub));
        let server = through.build();
        assert_eq!(server.connect("/a").await.unwrap_err().status(), 404);
        assert_eq!(server.hub().stats().accepted, 0);
    });
}
