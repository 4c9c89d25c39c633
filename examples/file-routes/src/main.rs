//! Files as routes: `src/sockets/rooms/[id].rs` is `/api/ws/rooms/{id}`. And functions beside pages:
//! `socket_terminal` of `src/pages/tools.rs` is `/_socket/tools/terminal`.
//!
//!     cargo run -p file-routes
//!     websocat ws://127.0.0.1:3000/api/ws/rooms/7

use std::io;

use crossws::{HookResult, Peer};

mod pages;

/// Used by several routes.
fn greet(peer: &Peer, what: &str, name: &str) -> HookResult {
    peer.send(format!("{what} {name}"))?;
    Ok(())
}

fn app() -> crossws::Router {
    crossws::routes!().merge(crossws::sockets!())
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

    #[tokio::test]
    async fn functions_beside_a_page_are_routes() {
        let server = TestServer::new(super::app());
        let mut client = server.connect("/_socket/tools/terminal").await.unwrap();
        client.send("no input").unwrap();
        let data = r#"{"type":"data","data":"ls"}"#;
        client.send(data).unwrap();
        assert_eq!(client.next().await.unwrap().text(), Ok(data));
        client.send(r#"{"type":"exit"}"#).unwrap();
        assert_eq!(client.closed().await.code, 1000);
    }

    #[test]
    fn routes_are_named_after_their_files() {
        let router = super::app();
        router.check().unwrap();
        let names = router
            .routes()
            .map(|route| route.name().unwrap().to_string());
        let names: Vec<_> = names.collect();
        assert_eq!(
            names,
            [
                "",
                "talk",
                "files/[...rest]",
                "rooms/[id]",
                "tools/terminal"
            ]
        );
    }
}
