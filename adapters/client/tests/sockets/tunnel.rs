//! Through HTTP proxies.

use crossws_client::{ConnectError, HttpProxy, connect};
use crossws_core::hooks;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use crate::script::{head, server};

async fn echo_server() -> u16 {
    let app = hooks().on_message(|peer, message| async move { peer.send(message) });
    let server = crossws_tokio::Server::builder(app)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let port = server.local_addr().port();
    tokio::spawn(async move { server.run().await });
    port
}

#[tokio::test]
async fn a_proxy_gets_the_name_and_credentials_and_nothing_else() {
    let port = echo_server().await;
    let (addr, proxy) = server(move |mut stream| async move {
        let head = head(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await
            .unwrap();
        let mut upstream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut upstream).await;
        head
    })
    .await;
    let proxy_settings = HttpProxy::new(&format!("http://ann:secret@{addr}")).unwrap();
    // The proxy resolves the name: this one has no address here.
    let client = connect(format!("ws://name.invalid:{port}/")).proxy(proxy_settings);
    let mut client = client.token("of the server").await.unwrap();
    client.send("hello").unwrap();
    assert_eq!(client.next().await.unwrap().text().unwrap(), "hello");
    drop(client);
    let head = proxy.await.unwrap();
    assert!(head.starts_with(&format!("CONNECT name.invalid:{port} HTTP/1.1\r\n")));
    assert!(head.contains(&format!("\r\nhost: name.invalid:{port}\r\n")));
    assert!(head.contains("\r\nproxy-authorization: Basic YW5uOnNlY3JldA==\r\n"));
    assert!(!head.contains("of the server"));
}

#[tokio::test]
async fn what_a_proxy_refuses_has_its_status() {
    for (response, check) in [
        (
            &b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..],
            (|error| matches!(error, ConnectError::Proxy(status) if *status == 407))
                as fn(&_) -> bool,
        ),
        (b"HTTP/1.1 200 x\r\n\r\nearly", |error| {
            matches!(error, ConnectError::Malformed(_))
        }),
    ] {
        let (addr, _server) = server(move |mut stream| async move {
            head(&mut stream).await;
            stream.write_all(response).await.unwrap();
            let _stays_open = stream;
            std::future::pending::<()>().await;
        })
        .await;
        let proxy = HttpProxy::new(&format!("http://{addr}")).unwrap();
        let error = connect("wss://example.com/")
            .proxy(proxy)
            .await
            .unwrap_err();
        assert!(check(&error), "{error}");
    }
}

#[tokio::test]
async fn addresses_cannot_be_checked_through_a_proxy() {
    let proxy = HttpProxy::new("http://127.0.0.1:1").unwrap();
    let client = connect("ws://example.com/")
        .proxy(proxy)
        .allow_addresses(|_| true);
    let error = client.await.unwrap_err();
    assert!(matches!(error, ConnectError::Unsupported(_)), "{error}");
}
