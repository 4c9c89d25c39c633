use crossws_core::{Limits, Message, hooks};
use crossws_memory::TestServer;
use crossws_proxy::Proxy;
use futures_lite::future::block_on;

use crate::{Log, echo, proxy_to, small, through};

#[test]
fn text_stays_text_and_binary_stays_binary_in_order() {
    block_on(async {
        let (_upstream, proxy) = proxy_to(echo(&Log::default()));
        let server = TestServer::new(proxy);
        let mut client = server.connect("/").await.unwrap();
        client.expect("hello").await;
        for number in 0..200_u8 {
            client.send(number.to_string()).unwrap();
            client.send(vec![number]).unwrap();
        }
        for number in 0..200_u8 {
            client.expect(number.to_string()).await;
            assert_eq!(client.next().await, Some(Message::from(vec![number])));
        }
    });
}

#[test]
fn messages_wait_while_the_upstream_opens_and_leave_in_order() {
    block_on(async {
        let slow = hooks()
            .on_upgrade(|_| async {
                futures_lite::future::yield_now().await;
                Ok(crossws_core::Upgrade::new())
            })
            .on_message(|peer, message| async move { peer.send(message) });
        let (_upstream, proxy) = proxy_to(slow);
        let server = TestServer::new(proxy.upgrade_first());
        let mut client = server.connect("/").await.unwrap();
        for text in ["one", "two", "three"] {
            client.send(text).unwrap();
        }
        for text in ["one", "two", "three"] {
            client.expect(text).await;
        }
    });
}

#[test]
fn more_than_may_wait_for_an_upstream_that_opens_closes_with_1009() {
    block_on(async {
        for messages in [&["12345678", "123456789"][..], &["1", "2", "3", "4"]] {
            let stuck = hooks().on_upgrade(|_| std::future::pending());
            let (_upstream, proxy) = proxy_to(stuck);
            let server = TestServer::new(proxy.upgrade_first().limits(small()));
            let mut client = server.connect("/").await.unwrap();
            for message in messages {
                client.send(*message).unwrap();
            }
            assert_eq!(client.closed().await.code, 1009);
        }
    });
}

#[test]
fn a_client_that_does_not_read_holds_its_upstream_back_and_loses_nothing() {
    const COUNT: u32 = 20_000;
    block_on(async {
        // It sends whenever its own queue has room: the proxy decides how far it gets.
        let fast = hooks().on_message(|peer, _| async move {
            for number in 0..COUNT {
                peer.send(number.to_string())?;
                peer.drained(64).await;
            }
            crossws_core::ok()
        });
        let upstream = TestServer::new(fast);
        let proxy = through(&upstream, Proxy::to("ws://upstream/"));
        let limits = Limits::default().max_buffered(1000).max_queued(100);
        let server = TestServer::builder(proxy).limits(limits).build();
        let mut client = server.connect("/").await.unwrap();
        client.pause();
        client.send("begin").unwrap();
        server.settle().await;
        let peer = server.hub().peer(client.id()).unwrap();
        let waiting = peer.buffered_amount();
        assert!((1..=1000).contains(&waiting), "{waiting}");
        client.resume();
        for number in 0..COUNT {
            client.expect(number.to_string()).await;
        }
        assert_eq!(peer.dropped(), 0);
    });
}

#[test]
fn a_message_as_large_as_allowed_passes_both_ways() {
    block_on(async {
        let (_upstream, proxy) = proxy_to(echo(&Log::default()));
        let server = TestServer::new(proxy);
        let mut client = server.connect("/").await.unwrap();
        client.expect("hello").await;
        let large = vec![7; (1 << 20) - 20];
        client.send("before").unwrap();
        client.send(large.clone()).unwrap();
        client.send("after").unwrap();
        client.expect("before").await;
        assert_eq!(client.next().await, Some(Message::from(large)));
        client.expect("after").await;
    });
}
