//! Sessions: a layer finds the user of the cookie before the upgrade, and hooks read it by its type.
//!
//!     cargo run --example session
//!     websocat -H 'Cookie: session=7f3a' ws://127.0.0.1:3000/rooms/lobby
//!
//! The client prints `welcome to lobby, ann`. A second one, with `session=c19e`, is bob, and they talk.
//! Without a known session the response is a 401, and no hook runs.

use std::collections::HashMap;

use crossws::prelude::*;
use crossws::{BoxError, Layer};
use serde::Deserialize;

#[derive(Clone)]
struct User {
    name: String,
}

/// The sessions that a login would have stored, by cookie.
struct Sessions(HashMap<String, User>);

impl Layer for Sessions {
    async fn before(&self, request: &mut UpgradeRequest) -> Result<(), Rejection> {
        let id = request.cookie_token("session")?;
        let Some(user) = self.0.get(id).cloned() else {
            return Err(Rejection::unauthorized("Session"));
        };
        request.attach(user);
        Ok(())
    }
}

#[derive(Deserialize)]
struct At {
    room: String,
}

struct Room;

impl Hooks for Room {
    async fn open(&self, peer: &Peer) -> HookResult {
        let At { room } = peer.path()?;
        let user = peer.attached::<User>()?;
        peer.send(format!("welcome to {room}, {}", user.name))?;
        peer.subscribe("talk")?;
        peer.publish("talk", format!("{} is here", user.name))?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        let user = peer.attached::<User>()?;
        peer.publish("talk", format!("{}: {}", user.name, message.text()?))?;
        Ok(())
    }
}

fn app() -> Router {
    let users = [("7f3a", "ann"), ("c19e", "bob")];
    let users = users.map(|(id, name)| {
        let name = name.to_owned();
        (id.to_owned(), User { name })
    });
    Router::new()
        .layer(Sessions(HashMap::from(users)))
        .route("/rooms/{room}", Room)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    crossws::tokio::serve("127.0.0.1:3000", app()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossws::memory::TestServer;

    #[tokio::test]
    async fn hooks_greet_the_user_of_the_session() {
        let server = TestServer::new(app());
        let as_user = |cookie| server.connect("/rooms/7").header("cookie", cookie);
        let mut ann = as_user("theme=dark; session=7f3a").await.unwrap();
        assert_eq!(ann.next().await.unwrap().text(), Ok("welcome to 7, ann"));
        let mut bob = as_user("session=c19e").await.unwrap();
        assert_eq!(ann.next().await.unwrap().text(), Ok("bob is here"));
        bob.send("hello").unwrap();
        assert_eq!(ann.next().await.unwrap().text(), Ok("bob: hello"));
    }

    #[tokio::test]
    async fn without_a_session_there_is_no_upgrade() {
        let server = TestServer::new(app());
        let none = server.connect("/rooms/7").await.unwrap_err();
        assert_eq!(none.status(), 401);
        let unknown = server.connect("/rooms/7").header("cookie", "session=0");
        assert_eq!(unknown.await.unwrap_err().status(), 401);
        assert_eq!(server.hub().stats().accepted, 0);
    }
}
