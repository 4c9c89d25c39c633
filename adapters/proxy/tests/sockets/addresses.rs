use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crossws_client::connect;
use crossws_core::{Hub, Limits, UpgradeRequest, hooks};
use crossws_proxy::{Proxy, ProxyError};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::rebinding::Rebinding;
use crate::{echo, refusal, serve, text};

/// A proxy to whatever a client names.
fn chosen(url: String) -> Proxy {
    Proxy::to(move |_: UpgradeRequest| url.clone())
}

#[tokio::test]
async fn private_addresses_are_refused_after_the_name_is_resolved() {
    let (upstream, handle) = serve(echo()).await;
    let port = upstream.port();
    // Names, and every notation that a resolver reads as an address of this machine.
    for host in [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::]",
        "[64:ff9b::7f00:1]",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1.",
        "127.000.000.001",
        "0",
    ] {
        let error: Arc<Mutex<Option<Arc<ProxyError>>>> = Arc::default();
        let seen = Arc::clone(&error);
        let proxy = chosen(format!("ws://{host}:{port}/"))
            .allow_hosts(["*"])
            .on_close(move |_, ended| *seen.lock().unwrap() = ended.error.clone());
        let (addr, _proxy) = serve(proxy).await;
        let status = refusal(addr).await;
        let error = error.lock().unwrap().take().unwrap().to_string();
        // Some systems do not read the old notations; none connects.
        let resolved = status == 403 && error.contains("must not be connected to");
        let unknown = status == 502 && error.contains("cannot be resolved");
        assert!(
            resolved || (unknown && !host.starts_with('[')),
            "{host}: {status} {error}"
        );
    }
    assert_eq!(handle.hub().peers().len(), 0);
}

#[tokio::test]
async fn what_is_no_plain_url_connects_to_nothing() {
    let (upstream, handle) = serve(echo()).await;
    let port = upstream.port();
    for url in [
        format!("ws://public.example@127.0.0.1:{port}/"),
        format!("ws://127.0.0.1:{port}@public.example/"),
        format!("ws://public.example:80@127.0.0.1:{port}/"),
        format!("ws://127.0.0.1:{port}/#public.example"),
        format!("ws://127.0.0.1:{port}\\@public.example/"),
        format!("ws://%31%32%37.0.0.1:{port}/"),
        format!("ws://\u{2460}\u{2461}\u{2466}.0.0.1:{port}/"),
        format!("ws://127.0.0.1 :{port}/"),
        format!("ws://127.0.0.1:{port}/ HTTP/1.1\r\nhost: public.example\r\n\r\n"),
        format!("//127.0.0.1:{port}/"),
        format!("127.0.0.1:{port}"),
        format!("file://127.0.0.1:{port}/etc/passwd"),
        format!("ws:127.0.0.1:{port}"),
        format!("ws:///127.0.0.1:{port}"),
        format!("ws+unix://127.0.0.1:{port}"),
    ] {
        let anywhere = |proxy: Proxy| proxy.allow_hosts(["*"]).allow_addresses(|_| true);
        let (addr, _proxy) = serve(anywhere(chosen(url.clone()))).await;
        let status = refusal(addr).await;
        assert!(matches!(status, 403 | 500 | 502), "{url}: {status}");
    }
    assert_eq!(handle.hub().stats().peers, 0);
}

#[tokio::test]
async fn a_name_that_resolves_to_another_address_after_the_check_changes_nothing() {
    let (upstream, handle) = serve(echo()).await;
    let (secret, secrets) = serve(echo()).await;
    let names = Rebinding::default();
    names.answer([upstream, secret, secret]);
    let proxy = chosen("ws://rebinds.example/".to_owned())
        .allow_hosts(["rebinds.example"])
        .allow_addresses(move |addr| addr == upstream)
        .connect_with(move |connect| connect.on(names.clone()));
    let (addr, _proxy) = serve(proxy).await;
    // The check got the name's first answer, and so did the connection.
    let mut client = connect(format!("ws://{addr}/")).await.unwrap();
    client.send("hello").unwrap();
    assert_eq!(text(&mut client).await, "hello");
    assert_eq!(handle.hub().peers().len(), 1);
    // The second answer is checked for the next client, although the first one was allowed.
    assert_eq!(refusal(addr).await, 403);
    assert_eq!(secrets.hub().stats().peers, 0);
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let (secret, handle) = serve(echo()).await;
    for status in ["301 x", "302 x", "307 x", "308 x"] {
        let response =
            format!("HTTP/1.1 {status}\r\nlocation: ws://{secret}/\r\ncontent-length: 0\r\n\r\n");
        let (upstream, _task) = crate::script(response, Vec::new()).await;
        let (addr, _proxy) = serve(Proxy::to(format!("ws://{upstream}/"))).await;
        assert_eq!(refusal(addr).await, 502);
    }
    assert_eq!(handle.hub().stats().peers, 0);
}

#[tokio::test]
async fn a_proxy_that_is_its_own_target_is_refused_by_name() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    // One that connects first, and one whose loop is found after its upgrade.
    let server = crossws_tokio::Server::builder(Proxy::to(format!("ws://{addr}/")));
    let server = server.listen(listener).unwrap();
    tokio::spawn(async { server.run().await.unwrap() });
    assert_eq!(refusal(addr).await, 508);
}

#[tokio::test]
async fn a_loop_of_two_proxies_is_refused_by_name() {
    let listeners = [
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    ];
    let [one, other] = [0, 1].map(|at| listeners[at].local_addr().unwrap());
    let begun = Arc::new(Mutex::new(Vec::new()));
    for (listener, target) in listeners.into_iter().zip([other, one]) {
        let addr = listener.local_addr().unwrap();
        let begun = Arc::clone(&begun);
        let proxy = Proxy::to(format!("ws://{target}/"));
        let proxy = proxy.on_connect(move |_| begun.lock().unwrap().push(addr));
        let server = crossws_tokio::Server::builder(proxy);
        let server = server.listen(listener).unwrap();
        tokio::spawn(async { server.run().await.unwrap() });
    }
    let status = refusal(one).await;
    // The first one finds its own name in the request of the second, and begins no other connection.
    assert_eq!(*begun.lock().unwrap(), [one, other]);
    assert_eq!(status, 508);
}

/// Forwards connections to a server, without the header that tells it of its own loops.
async fn strip_via(listener: TcpListener, server: SocketAddr) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let head = crate::head(&mut client).await;
            let lines = head.split_inclusive("\r\n");
            let head: String = lines.filter(|line| !line.starts_with("via:")).collect();
            let mut server = TcpStream::connect(server).await.unwrap();
            server.write_all(head.as_bytes()).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

#[tokio::test]
async fn a_loop_that_hides_its_hops_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::to(format!("ws://{}/", listener.local_addr().unwrap()));
    let limits = Limits::default().max_unfinished(100 << 10);
    let hub = Hub::builder().limits(limits).build();
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let proxy = proxy.on_connect(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let server = crossws_tokio::Server::builder(proxy).hub(hub.clone());
    let server = server.bind("127.0.0.1:0").await.unwrap();
    tokio::spawn(strip_via(listener, server.local_addr()));
    let addr = server.local_addr();
    tokio::spawn(async { server.run().await.unwrap() });
    // Heads that wait count as unfinished, and the last one has no room.
    assert_eq!(refusal(addr).await, 502);
    let begun = begun.load(Ordering::Relaxed);
    assert!((2..=25).contains(&begun), "{begun}");
    assert_eq!(hub.stats().accepted, 0);
}

#[cfg(unix)]
#[tokio::test]
async fn an_upstream_may_listen_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.sock");
    let shows = hooks().on_open(|peer| async move { peer.send(peer.request().uri().to_string()) });
    let server = crossws_tokio::Server::builder(shows);
    let listener = tokio::net::UnixListener::bind(&file).unwrap();
    let server = server.listen(listener).unwrap();
    tokio::spawn(async { server.run().await.unwrap() });
    let url = format!("ws+unix:{}:/rooms?x=1", file.display());
    let (fixed, _proxy) = serve(Proxy::to(url.clone())).await;
    let mut client = connect(format!("ws://{fixed}/")).await.unwrap();
    assert_eq!(text(&mut client).await, "/rooms?x=1");
    // A function may name one only if it is listed.
    let (open, _proxy) = serve(chosen(url.clone()).allow_hosts(["*"])).await;
    assert_eq!(refusal(open).await, 403);
    let listed = chosen(url).allow_hosts([format!("ws+unix:{}", file.display())]);
    let (listed, _proxy) = serve(listed).await;
    let mut client = connect(format!("ws://{listed}/")).await.unwrap();
    assert_eq!(text(&mut client).await, "/rooms?x=1");
}

#[tokio::test]
async fn an_upstream_that_nothing_listens_on_is_a_502() {
    // Kept, so that no other test listens there.
    let unused = TcpSocket::new_v4().unwrap();
    unused.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = unused.local_addr().unwrap();
    let (addr, _proxy) = serve(Proxy::to(format!("ws://{nobody}/"))).await;
    assert_eq!(refusal(addr).await, 502);
}
