//! What a request and a connection say arrives whole, through every entrance: the path, headers with any
//! bytes, and all that a client sends before its end.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::doors::{DOORS, ask, connect, header, status};
use common::{soon, upgrade_request};
use crossws_core::{Hooks, Hub, Upgrade, hooks, normal_path};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

fn hub() -> Hub {
    Hub::default()
}

#[tokio::test]
async fn a_path_is_the_whole_path() {
    let paths = [
        "/raw",
        "//raw",
        "/raw/",
        "/raw//x",
        "/raw;v=1",
        "/raw/../x",
        "/raw/.",
        "/a:b@c",
        "/raw/%2Fx",
        "/raw%3Fx",
        "/%C3%BC",
        "/~!$&'()*+,=",
        "/http://localhost/x",
    ];
    for door in DOORS {
        for path in paths {
            // As they are, with a query, and as a URL.
            for target in [
                path.to_owned(),
                format!("{path}?a=/b?c"),
                format!("http://localhost{path}"),
            ] {
                let hub = hub();
                let mut stream = connect(door, hooks(), hub.clone()).await;
                let head = ask(&mut stream, &upgrade_request(&target)).await;
                assert_eq!(status(&head), 101, "{door:?}: {target}");
                let peer = hub.peers().remove(0);
                assert_eq!(
                    peer.namespace(),
                    normal_path(path).unwrap(),
                    "{door:?}: {target}"
                );
                assert_eq!(peer.request().path(), path, "{door:?}: {target}");
                let query = target.contains("?a").then_some("a=/b?c");
                assert_eq!(peer.request().query(), query, "{door:?}: {target}");
            }
        }
    }
}

#[tokio::test]
async fn a_url_without_a_path_is_the_root() {
    for door in DOORS {
        for (target, query) in [
            ("http://localhost", None),
            ("http://localhost:80", None),
            ("https://localhost?a=b", Some("a=b")),
        ] {
            let hub = hub();
            let mut stream = connect(door, hooks(), hub.clone()).await;
            let head = ask(&mut stream, &upgrade_request(target)).await;
            if door == common::doors::Door::Through {
                // The test's own page is there.
                assert_eq!(status(&head), 200);
                continue;
            }
            assert_eq!(status(&head), 101, "{door:?}: {target}");
            let peer = hub.peers().remove(0);
            assert_eq!((peer.namespace(), peer.request().query()), ("/", query));
        }
    }
}

#[tokio::test]
async fn bytes_above_ascii_hide_nothing() {
    let app = || {
        hooks().on_upgrade(|request| async move {
            let name = request.header("x-name").unwrap_or("none").to_owned();
            Ok(Upgrade::new()
                .namespace(name)
                .protocol(request.choose_protocol(&["chat"])))
        })
    };
    let request = upgrade_request("/").replace(
        "Upgrade:",
        "X-Name: Zażółć\r\nSec-WebSocket-Protocol: żółć, chat\r\nUpgrade:",
    );
    for door in DOORS {
        let hub = hub();
        let request = request.replace("GET / ", "GET /raw ");
        let mut stream = connect(door, app(), hub.clone()).await;
        let head = ask(&mut stream, &request).await;
        assert_eq!(status(&head), 101, "{door:?}: {head}");
        assert_eq!(header(&head, "sec-websocket-protocol"), ["chat"]);
        assert_eq!(hub.peers()[0].namespace(), "Zażółć", "{door:?}");
        // A path of such bytes is the one that is encoded, or none.
        let hub = Hub::default();
        let mut stream = connect(door, hooks(), hub.clone()).await;
        let head = ask(&mut stream, &upgrade_request("/ü")).await;
        match status(&head) {
            101 => assert_eq!(hub.peers()[0].namespace(), "/ü", "{door:?}"),
            status => assert_eq!(status, 400, "{door:?}"),
        }
    }
}

/// Returns hooks that take a while for each message, and tell what they hear.
fn slow() -> (impl Hooks, mpsc::UnboundedReceiver<String>) {
    let (tell, told) = mpsc::unbounded_channel();
    let tell = Arc::new(tell);
    let ended = Arc::clone(&tell);
    let hooks = hooks()
        .on_message(move |peer, message| {
            let tell = Arc::clone(&tell);
            async move {
                // The client is gone by now.
                peer.sleep(Duration::from_millis(1)).await;
                let _ = peer.send(vec![0; 10_000]);
                tell.send(message.to_string()).unwrap();
            }
        })
        .on_close(move |_, closed| {
            let ended = Arc::clone(&ended);
            async move {
                ended
                    .send(format!("{} by {:?}", closed.code, closed.by))
                    .unwrap()
            }
        });
    (hooks, told)
}

#[tokio::test]
async fn all_that_a_client_sent_before_its_end_is_heard() {
    // More than one read takes.
    const MESSAGES: u32 = 400;
    // A text of 256 bytes, whose mask is zero.
    let message = |n: u32| {
        let header = vec![0x81, 0xfe, 0x01, 0x00, 0, 0, 0, 0];
        [header, format!("{n:0256}").into_bytes()].concat()
    };
    let close = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
    for door in DOORS {
        for (closes, end) in [(false, "1006 by Network"), (true, "1000 by Client")] {
            let (hooks, mut told) = slow();
            let mut stream = connect(door, hooks, hub()).await;
            let mut sent = upgrade_request("/raw").into_bytes();
            sent.extend((0..MESSAGES).flat_map(message));
            if closes {
                sent.extend(close);
            }
            stream.write_all(&sent).await.unwrap();
            let mut stream = Some(stream);
            for n in 0..MESSAGES {
                if n == 20 {
                    // With unread answers: the system resets the connection.
                    drop(stream.take());
                }
                let heard = soon("a message", told.recv()).await.unwrap();
                assert_eq!(heard.parse(), Ok(n), "{door:?}");
            }
            let heard = soon("the end", told.recv()).await.unwrap();
            assert_eq!(heard, end, "{door:?}");
        }
    }
}
