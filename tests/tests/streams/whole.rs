//! What a request and a stream say arrives whole: the path, headers with any bytes, all that a client
//! sends before its end, and when it did so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossws_core::{Limits, Upgrade, hooks, normal_path};
use h2::Reason;
use http::HeaderValue;
use tokio::sync::mpsc;

use super::*;

#[test]
fn a_path_is_the_whole_path() {
    run(async {
        let server = serve().await;
        let connection = server.dial().await;
        let hub = server.handle.hub();
        for path in [
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
        ] {
            for (target, query) in [
                (path.to_owned(), None),
                (format!("{path}?a=/b?c"), Some("a=/b?c")),
            ] {
                let request = get(&format!("http://localhost{target}"));
                let opened = soon("a WebSocket", connection.open(request)).await;
                let (_, _tunnel) = opened.unwrap();
                let peer = hub.peers().remove(0);
                assert_eq!(peer.namespace(), normal_path(path).unwrap(), "{target}");
                let request = peer.request();
                assert_eq!((request.path(), request.query()), (path, query));
                peer.terminate();
            }
        }
    });
}

#[test]
fn bytes_above_ascii_hide_nothing() {
    run(async {
        let hooks = hooks().on_upgrade(|request| async move {
            let name = request.header("x-name").unwrap_or("none").to_owned();
            let cookie = request.header("cookie").unwrap_or("none").to_owned();
            Ok(Upgrade::new()
                .namespace(format!("{name} {cookie}"))
                .protocol(request.choose_protocol(&["chat"])))
        });
        let server = start(Server::builder(hooks).http2(known())).await;
        let connection = server.dial().await;
        let mut request = get("/?q=%C3%BC");
        for (name, value) in [
            ("x-name", "Zażółć"),
            ("cookie", "name=żółć; place=Łódź"),
            ("sec-websocket-protocol", "żółć, chat"),
        ] {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request.headers_mut().insert(name, value);
        }
        let opened = soon("a WebSocket", connection.open(request)).await;
        let (response, _tunnel) = opened.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
        let peer = server.handle.hub().peers().remove(0);
        assert_eq!(peer.namespace(), "Zażółć name=żółć; place=Łódź");
        assert_eq!(peer.request().query(), Some("q=%C3%BC"));
    });
}

/// How a client ends its stream.
#[derive(Debug, Clone, Copy)]
enum End {
    Reset,
    Stream,
    Connection,
    Close,
}

#[test]
fn all_that_a_client_sent_before_its_end_is_heard() {
    // As much as a window allows.
    const MESSAGES: usize = 200;
    for end in [End::Reset, End::Stream, End::Connection, End::Close] {
        run(async {
            let (tell, mut told) = mpsc::unbounded_channel();
            let ended = tell.clone();
            let hooks = hooks()
                .on_message(move |peer, message| {
                    let tell = tell.clone();
                    async move {
                        peer.sleep(Duration::from_millis(1)).await;
                        // A client that is still there does not read it.
                        let is_gone = matches!(end, End::Reset | End::Connection);
                        let _ = peer.send(vec![0; if is_gone { 10_000 } else { 10 }]);
                        tell.send(message.to_string()).unwrap();
                    }
                })
                .on_close(move |_, closed| {
                    let said = format!("{} by {:?}", closed.code, closed.by);
                    ended.send(said).unwrap();
                    async {}
                });
            let server = start(Server::builder(hooks).http2(known())).await;
            let stream = TcpStream::connect(server.addr).await.unwrap();
            let stream = stream.into_std().unwrap();
            let socket = stream.try_clone().unwrap();
            let stream = TcpStream::from_std(stream).unwrap();
            let connection = Http2::over(stream, "http").await.unwrap();
            let mut tunnel = open(&connection, "/").await;
            let message = |n| frame(1, format!("{n:0256}").as_bytes());
            let mut sent: Vec<u8> = (0..MESSAGES).flat_map(message).collect();
            if let End::Close = end {
                sent.extend(frame(8, &1000_u16.to_be_bytes()));
            }
            tunnel.write_all(&sent).await.unwrap();
            let mut client = Some((connection, tunnel));
            for n in 0..MESSAGES {
                let what = format!("message {n} before {end:?}");
                let heard = soon(&what, told.recv()).await.unwrap();
                assert_eq!(heard.parse(), Ok(n), "{end:?}");
                // All of it has arrived: so small a part of a window is not held back.
                match (end, client.take()) {
                    (End::Reset, Some((_, tunnel))) => tunnel.reset(Reason::CANCEL),
                    (End::Stream, Some((connection, mut tunnel))) if n == 0 => {
                        tunnel.shutdown().await.unwrap();
                        // Kept, because dropping it would reset the stream.
                        client = Some((connection, tunnel));
                    }
                    (End::Connection, it) if n == 0 => {
                        socket.shutdown(std::net::Shutdown::Both).unwrap();
                        client = it;
                    }
                    (_, it) => client = it,
                }
            }
            let said = match end {
                End::Close => "1000 by Client",
                _ => "1006 by Network",
            };
            let heard = soon("the end", told.recv()).await.unwrap();
            assert_eq!(heard, said, "{end:?}");
        });
    }
}

#[test]
fn a_pong_that_lay_unread_is_in_time() {
    // The whole server stands still, like a stopped process, while its clients do what they should.
    const STREAMS: usize = 20;
    let every = Duration::from_millis(300);
    // The clients have this long on a busy machine.
    let timeout = Duration::from_secs(4);
    let stands = Arc::new(AtomicBool::new(false));
    let stand = Arc::clone(&stands);
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        run(async {
            let limits = Limits::default().ping_interval(every);
            let limits = limits.pong_timeout(timeout);
            let server = start(Server::builder(echo()).limits(limits).http2(known())).await;
            tell.send((server.addr, server.handle.hub().clone()))
                .unwrap();
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                if stand.swap(false, Ordering::SeqCst) {
                    std::thread::sleep(timeout + Duration::from_secs(1));
                }
            }
        });
    });
    let (addr, hub) = told.recv().unwrap();
    run(async {
        let server = TcpStream::connect(addr).await.unwrap();
        let connection = Http2::over(server, "http").await.unwrap();
        let (pinged, mut pings) = mpsc::unbounded_channel();
        for _ in 0..STREAMS {
            let mut tunnel = open(&connection, "/").await;
            let pinged = pinged.clone();
            tokio::spawn(async move {
                while let Some((9, payload)) = hear(&mut tunnel).await {
                    tunnel.write_all(&frame(10, &payload)).await.unwrap();
                    pinged.send(()).unwrap();
                }
            });
        }
        for _ in 0..2 {
            // Between the server's read of a ping's answer and its next ping, and at any other moment.
            for _ in 0..STREAMS {
                soon("a ping", pings.recv()).await.unwrap();
            }
            stands.store(true, Ordering::SeqCst);
            for _ in 0..2 * STREAMS {
                soon("a ping", pings.recv()).await.unwrap();
            }
            assert_eq!(hub.stats().closed.total(), 0);
        }
        assert_eq!(hub.peers().len(), STREAMS);
    });
}
