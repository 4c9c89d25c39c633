//! Against this project's own server, on each runtime.

use std::net::SocketAddr;

use crossws_client::{ClientTls, Connect, ConnectError, Disconnected, connect};
use crossws_core::{CloseCode, ClosedBy, Deflate, Hooks, Limits, hooks};
use crossws_native::{ConnectRuntime, Server, Tls};
use rcgen::{CertifiedKey, generate_simple_self_signed};

fn app() -> impl Hooks {
    hooks().on_message(|peer, message| async move {
        if message.as_bytes()[..] == *b"bye" {
            peer.close(CloseCode::AWAY, "bye");
            return Ok(());
        }
        peer.send(message).map(drop)
    })
}

async fn serve<R: ConnectRuntime>(runtime: &R, tls: Option<Tls>) -> SocketAddr {
    let builder = Server::<_, R>::builder(app()).deflate(Deflate::default().threshold(1_usize));
    let builder = match tls {
        Some(tls) => builder.tls(tls),
        None => builder,
    };
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let addr = server.local_addr();
    runtime.spawn(async move { server.run().await.unwrap() });
    addr
}

fn certificate() -> (Tls, ClientTls) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = Tls::from_pem(cert.pem(), signing_key.serialize_pem()).unwrap();
    (tls, ClientTls::from_pem(cert.pem()).unwrap())
}

/// Messages of every length form, compressed and not, and a close by each side.
async fn talk(client: impl Fn() -> Connect) {
    for deflate in [
        None,
        Some(Deflate::default().threshold(1_usize)),
        Some(
            Deflate::default()
                .threshold(1_usize)
                .server_no_context_takeover(false)
                .client_no_context_takeover(false),
        ),
    ] {
        let compresses = deflate.is_some();
        let connecting = match deflate {
            Some(deflate) => client().deflate(deflate),
            None => client(),
        };
        let mut room = connecting.await.unwrap();
        let extensions = room
            .response_headers()
            .contains_key("sec-websocket-extensions");
        assert_eq!(extensions, compresses);
        for len in [0, 1, 125, 126, 65_535, 65_536, 300_000] {
            let text = "abc ".repeat(len / 4 + 1)[..len].to_owned();
            room.send(text.clone()).unwrap();
            assert_eq!(room.next().await.unwrap().text().unwrap(), text);
        }
        for n in 0..1000 {
            room.send(format!("message {n}")).unwrap();
        }
        for n in 0..1000 {
            assert_eq!(
                room.next().await.unwrap().text().unwrap(),
                format!("message {n}")
            );
        }
        room.drained(0).await;
        assert_eq!(room.buffered_amount(), 0);
        if compresses {
            room.close(CloseCode::NORMAL, "done");
        } else {
            room.send("bye").unwrap();
        }
        let Disconnected::Closed(closed) = &*room.closed().await else {
            panic!("it was open");
        };
        assert!(closed.clean);
        match compresses {
            true => assert_eq!((closed.code, closed.by), (1000, ClosedBy::Client)),
            false => assert_eq!((closed.code, closed.by), (1001, ClosedBy::Server)),
        }
    }
}

async fn all<R: ConnectRuntime>(runtime: R) {
    let addr = serve(&runtime, None).await;
    let on = runtime.clone();
    talk(|| connect(format!("ws://{addr}/")).on(on.clone())).await;
    let (tls, trusts) = certificate();
    let addr = serve(&runtime, Some(tls)).await;
    let url = format!("wss://localhost:{}/", addr.port());
    talk(|| connect(url.as_str()).on(on.clone()).tls(trusts.clone())).await;
    // A certificate that no store trusts.
    let (_, other) = certificate();
    let error = connect(url.as_str())
        .on(on.clone())
        .tls(other)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Io(_)), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    // A name that the certificate does not have.
    let url = format!("wss://127.0.0.1:{}/", addr.port());
    let error = connect(url).on(on.clone()).tls(trusts).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    run_echoes(runtime).await;
}

/// The handler's own connection.
async fn run_echoes<R: ConnectRuntime>(runtime: R) {
    let addr = serve(&runtime, None).await;
    let end = connect(format!("ws://{addr}/"))
        .on(runtime)
        .on_open(|client| drop(client.send("0")))
        .run(|client, message| async move {
            let count: u32 = message.text()?.parse()?;
            match count {
                100 => client.close(CloseCode::NORMAL, "counted"),
                _ => drop(client.send((count + 1).to_string())?),
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        })
        .await
        .unwrap();
    let Disconnected::Closed(closed) = &*end else {
        panic!("it was open");
    };
    assert_eq!((closed.code, &*closed.reason), (1000, "counted"));
}

#[tokio::test]
async fn the_client_talks_to_the_server_on_tokio() {
    all(crossws_tokio::Tokio::default()).await;
}

#[test]
fn the_client_talks_to_the_server_on_smol() {
    smol::block_on(all(crossws_smol::Smol::default()));
}

#[test]
fn the_client_talks_to_the_server_on_async_std() {
    smol::block_on(all(crossws_async_std::AsyncStd::default()));
}

#[tokio::test]
async fn the_callers_runtime_is_the_default() {
    let addr = serve(&crossws_tokio::Tokio::default(), None).await;
    let mut client = connect(format!("ws://{addr}/")).await.unwrap();
    client.send("hello").unwrap();
    assert_eq!(client.next().await.unwrap().text().unwrap(), "hello");
}

#[test]
fn outside_of_tokio_smol_is_the_default() {
    smol::block_on(async {
        let addr = serve(&crossws_smol::Smol::default(), None).await;
        let mut client = connect(format!("ws://{addr}/")).await.unwrap();
        client.send("hello").unwrap();
        assert_eq!(client.next().await.unwrap().text().unwrap(), "hello");
    });
}

#[cfg(unix)]
#[tokio::test]
async fn unix_domain_sockets_are_connected_to() {
    let folder = std::env::temp_dir().join(format!("crossws-client-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = crossws_tokio::Server::builder(app())
        .listen(listener)
        .unwrap();
    tokio::spawn(async move { server.run().await });
    let url = format!("ws+unix:{}:/room?x=1", path.display());
    let mut client = connect(url).await.unwrap();
    client.send("hello").unwrap();
    assert_eq!(client.next().await.unwrap().text().unwrap(), "hello");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn addresses_are_checked_after_the_name_was_resolved() {
    let addr = serve(&crossws_tokio::Tokio::default(), None).await;
    let url = format!("ws://localhost:{}/", addr.port());
    let client = connect(url.as_str()).allow_addresses(|addr| !addr.ip().is_loopback());
    assert!(matches!(client.await.unwrap_err(), ConnectError::Forbidden));
    let client = connect(url.as_str()).allow_addresses(|addr| addr.ip().is_loopback());
    let _open = client.await.unwrap();
}

#[tokio::test]
async fn nothing_to_connect_to_is_an_error_by_name() {
    // Kept, so that no other test listens there.
    let unused = tokio::net::TcpSocket::new_v4().unwrap();
    unused.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = unused.local_addr().unwrap();
    let error = connect(format!("ws://{addr}/")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Connect(_)), "{error}");
    assert!(error.is_temporary());
    let error = connect("ws://name.invalid/").await.unwrap_err();
    assert!(matches!(error, ConnectError::Resolve(_)), "{error}");
}

#[tokio::test]
async fn a_large_queue_is_refused_and_a_slow_server_bounds_it() {
    let addr = serve(&crossws_tokio::Tokio::default(), None).await;
    let limits = Limits::default().max_buffered(1000_usize);
    let client = connect(format!("ws://{addr}/"))
        .limits(limits)
        .await
        .unwrap();
    assert!(client.send(vec![0; 1001]).is_err());
    client.send(vec![0; 1000]).unwrap();
}
