//! One app with everything that the documents before crossws show their readers. No module names a
//! runtime: `src/bin/tokio.rs` and `src/bin/smol.rs` serve it, and `examples/worker-founding` is
//! the same app on Cloudflare Workers.
//!
//!     cargo run --example founding
//!     websocat ws://127.0.0.1:3000/ws/chat
//!
//! From the routes it generates an AsyncAPI document and a TypeScript client:
//!
//!     cargo run --example founding -- describe
//!     cargo run --example founding -- client web/src
//!     cargo run --example founding -- check web/src

pub mod api;
#[cfg(feature = "describe")]
mod describe;
#[cfg(feature = "http")]
mod http;
mod loops;
mod mock;
mod namespaces;
pub mod sse;
mod workers;

use crossws::{Origin, RouteSettings, Router};

#[cfg(feature = "describe")]
pub use describe::{described, describes};
#[cfg(feature = "http")]
pub use http::http;
pub use workers::User;

/// Returns the app's routes for every platform.
pub fn app() -> Router {
    crossws::routes!()
        .nest("/mock/ws", mock::routes())
        .nest("/_socket/workers/{worker}", workers::routes())
        .merge(namespaces::routes())
        .settings(any_origin())
}

/// Returns the routes that need a platform on which a loop lives as long as its connection, and which
/// leaves pings and compression to the server. Workers do neither.
pub fn native() -> Router {
    Router::new()
        .nest("/mock/ws", mock::native())
        .nest("/_socket", loops::routes())
        .settings(any_origin())
}

/// Pages of any origin may connect: the app has nothing to protect.
fn any_origin() -> RouteSettings {
    RouteSettings::new().origin(Origin::Any)
}
