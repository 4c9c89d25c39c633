//! A terminal in the browser's direction: a shell for each connection, behind a loop that owns it.
//!
//!     cargo run --example terminal
//!     npx wscat --connect ws://127.0.0.1:3000
//!     > {"type":"data","data":"echo hi\n"}
//!     < {"type":"data","data":"hi\r\n"}
//!
//! Each client has your shell. So it listens on this machine only, and pages of other origins are
//! refused.

#[cfg(unix)]
#[path = "terminal/shell.rs"]
mod shell;

#[cfg(unix)]
#[tokio::main]
async fn main() -> std::io::Result<()> {
    crossws::tokio::serve("127.0.0.1:3000", shell::terminal("sh")).await
}

#[cfg(not(unix))]
fn main() {
    eprintln!("the example needs the pseudo-terminals of a Unix");
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crossws::memory::{Client, TestServer};
    use serde_json::{Value, json};

    async fn next(client: &mut Client) -> Option<Value> {
        let message = client.next().await?;
        Some(message.json().unwrap())
    }

    /// Types, and reads until this is shown.
    async fn type_until(client: &mut Client, typed: &str, shown: &str) -> String {
        let frame = json!({ "type": "data", "data": typed });
        client.send(crossws::Json(frame)).unwrap();
        let mut all = String::new();
        while !all.contains(shown) {
            let frame = next(client).await.unwrap();
            all.push_str(frame["data"].as_str().unwrap());
        }
        all
    }

    #[tokio::test]
    async fn a_shell_answers_and_its_end_is_told() {
        let server = TestServer::new(shell::terminal("sh"));
        let mut client = server.connect("/").await.unwrap();
        type_until(&mut client, "test -t 0 && echo a-$((1+1))-tty\n", "a-2-tty").await;
        client.send("no frame").unwrap();
        client.send(r#"{"type":"data","data":"exit 3\n"}"#).unwrap();
        let mut last = None;
        while let Some(frame) = next(&mut client).await {
            last = Some(frame);
        }
        assert_eq!(last, Some(json!({ "type": "exit", "code": 3 })));
        assert_eq!(client.closed().await.code, 1000);
    }

    #[tokio::test]
    async fn much_output_waits_for_the_client_and_is_whole() {
        let server = TestServer::new(shell::terminal("sh"));
        let mut client = server.connect("/").await.unwrap();
        let all = type_until(&mut client, "seq 100000; echo \"en\"d\n", "end").await;
        assert!(all.contains("\n99999\r\n100000\r\n"));
    }
}
