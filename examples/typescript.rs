//! A chat whose page uses the client that is generated from the routes: neither side writes a frame by
//! hand.
//!
//!     cargo run --example typescript             # http://127.0.0.1:3000
//!     cargo run --example typescript -- client   # writes the client
//!     cargo run --example typescript -- check    # fails if the client is not that of the routes: for CI

use std::path::Path;
use std::sync::Mutex;

use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;
use crossws::calls::{Failure, calls};
use crossws::prelude::*;
use crossws::{BoxError, CloseFrame, TypedPeer, messages, typed};
use crossws_codegen::Generated;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a guest says.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum FromGuest {
    /// Says something to the room.
    Say { text: String },
    /// Closes the connections of the room, as a deploy would.
    Restart,
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum ToGuest {
    Joined { guests: usize },
    Said { by: String, text: String },
}

/// The arguments of a call.
#[derive(Deserialize, JsonSchema)]
struct Sum {
    numbers: Vec<i32>,
}

const ROOM: &str = "room";

/// Held while guests are counted and told, so that the last number that is told is the newest.
static DOOR: Mutex<()> = Mutex::new(());

fn room() -> crossws::RouteBuilder {
    let hooks = messages()
        .on_open(|peer: TypedPeer<ToGuest>| async move {
            peer.subscribe(ROOM)?;
            let _door = DOOR.lock();
            let guests = peer.peers().len();
            peer.to(ROOM)
                .including_self()
                .send(ToGuest::Joined { guests })?;
            crossws::ok()
        })
        .on_message(|peer: TypedPeer<ToGuest>, message| async move {
            match message {
                FromGuest::Say { text } => {
                    let by = peer.id().to_string();
                    peer.to(ROOM)
                        .including_self()
                        .send(ToGuest::Said { by, text })?;
                }
                FromGuest::Restart => {
                    let wait = std::time::Duration::from_millis(50);
                    let frame = CloseFrame::new(CloseCode::RESTART, "restarting").with_retry(wait);
                    for peer in peer.peers() {
                        peer.untyped().close_frame(frame.clone());
                    }
                }
            }
            crossws::ok()
        });
    typed(hooks).described().doc("The talk of one room.")
}

fn sums() -> crossws::RouteBuilder {
    calls(hooks())
        .described_method("add", |_: Peer, Sum { numbers }: Sum| async move {
            let sum = numbers.into_iter().try_fold(0, i32::checked_add);
            sum.ok_or_else(|| Failure::new(1, "the sum is too large"))
        })
        .described()
}

fn app() -> Router {
    Router::new()
        .route("/rooms/{room}", room())
        .route("/sums", sums())
}

/// The client in JavaScript, because a page compiles nothing; `crossws_codegen::typescript` writes the same
/// for projects that do.
fn client() -> Result<Generated, BoxError> {
    Ok(crossws_codegen::javascript(&app().describe()?))
}

fn pages() -> Result<axum::Router, BoxError> {
    let client = client()?;
    let mut pages = axum::Router::new().route("/", get(Html(include_str!("typescript/page.html"))));
    for (name, code) in client.files().filter(|(name, _)| name.ends_with(".js")) {
        let code = ([(CONTENT_TYPE, "text/javascript")], code.to_owned());
        pages = pages.route(&format!("/{name}"), get(code));
    }
    Ok(pages)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/typescript");
    match std::env::args().nth(1).as_deref() {
        Some("client") => return Ok(client()?.write(folder)?),
        Some("check") => return Ok(client()?.check(folder)?),
        _ => {}
    }
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let server = crossws::tokio::Server::builder(app()).http(pages()?);
    let server = server.bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", server.local_addr());
    Ok(server.run().await.map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_that_of_the_routes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/typescript");
        if let Err(error) = client().unwrap().check(folder) {
            panic!("{error}");
        }
    }
}
