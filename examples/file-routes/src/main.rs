//! Files as routes: `src/sockets/rooms/[id].rs` is `/api/ws/rooms/{id}`.
//!
//!     cargo run -p file-routes
//!     websocat ws://127.0.0.1:3000/api/ws/rooms/7

use std::io;

use crossws::{HookResult, Peer};

/// Used by several routes.
fn greet(peer: &Peer, what: &str, name: &str) -> HookResult {
    peer.send(format!("{what} {name}"))?;
    Ok(())
}

fn app() -> crossws::Router {
    crossws::routes!()
}

#[tokio::main]
async fn main() -> io::Result<()> {
    crossws::tokio::serve("127.0.0.1:3000", app()).await
}

#[cfg(test)]
mod tests {
    use crossws::memory::TestServer;

    #[tokio::test]
    async fn each_file_is_a_route() {
        let server = TestServer::new(super::app());
        for (path, said) in [
            ("/api/ws", "root"),
            ("/api/ws/chat", "chat of general"),
            ("/api/ws/rooms/a%20b", "room a b"),
            ("/api/ws/files/a/b", "file a/b"),
        ] {
            let mut client = server.connect(path).await.unwrap();
            assert_eq!(client.next().await.unwrap().text(), Ok(said), "{path}");
        }
        let refusal = server.connect("/api/ws/rooms/a!").await.unwrap_err();
        assert_eq!(refusal.status(), 404, "the folder's layer");
        assert!(!refusal.is_unclaimed());
        for path in ["/api/ws/nothing", "/chat"] {
            let refusal = server.connect(path).await.unwrap_err();
            assert!(refusal.is_unclaimed(), "{path}");
        }
    }

    #[test]
    fn routes_are_named_after_their_files() {
        let router = super::app();
        router.check().unwrap();
        let names = router
            .routes()
            .map(|route| route.name().unwrap().to_string());
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["", "talk", "files/[...rest]", "rooms/[id]"]);
    }
}
