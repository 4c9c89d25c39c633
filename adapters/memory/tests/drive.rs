//! What runs the connections: any executor, several threads, and hooks that use the toolkit
//! themselves.

// Tests state what must hold; their helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{Gate, block_on};
use crossws_core::{BoxError, BoxFuture, Message, Peer, Shutdown, hooks};
use crossws_memory::TestServer;
use futures_lite::future::{self, poll_once, zip};

fn echo() -> TestServer {
    TestServer::new(hooks().on_message(|peer, message| async move { peer.send(message) }))
}

#[test]
fn another_thread_may_wake_a_hook() {
    block_on(async {
        let gate = Gate::default();
        let server = {
            let gate = gate.clone();
            TestServer::new(hooks().on_message(move |peer: Peer, message| {
                let gate = gate.clone();
                async move {
                    gate.passed().await;
                    peer.send(message)
                }
            }))
        };
        let mut client = server.connect("/").await.unwrap();
        client.send("later").unwrap();
        assert!(poll_once(client.next()).await.is_none());
        let opener = thread::spawn(move || gate.open());
        assert_eq!(client.next().await.unwrap().text(), Ok("later"));
        opener.join().unwrap();
    });
}

#[test]
fn another_thread_may_publish() {
    block_on(async {
        let server =
            TestServer::new(hooks().on_open(|peer| async move { peer.subscribe("t").map(drop) }));
        let mut client = server.connect("/").await.unwrap();
        assert!(poll_once(client.next()).await.is_none());
        let hub = server.hub().clone();
        let publisher = thread::spawn(move || {
            hub.in_all_namespaces().publish("t", "news").unwrap();
        });
        assert_eq!(client.next().await.unwrap().text(), Ok("news"));
        publisher.join().unwrap();
    });
}

#[test]
fn many_threads_share_a_server() {
    let server = echo();
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let server = server.clone();
            thread::spawn(move || {
                block_on(async {
                    let mut client = server.connect("/").await.unwrap();
                    for n in 0..200 {
                        let text = format!("{thread} {n}");
                        client.send(&*text).unwrap();
                        assert_eq!(client.next().await.unwrap().text(), Ok(&*text));
                        if n % 50 == 0 {
                            server.advance(Duration::from_secs(1)).await;
                        }
                    }
                    client.close_without_code();
                    assert!(client.closed().await.clean);
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    block_on(server.settle());
    assert_eq!(server.hub().stats().sessions, 0);
}

#[test]
fn two_clients_wait_for_each_other() {
    block_on(async {
        let server = TestServer::new(
            hooks()
                .on_open(|peer| async move { peer.subscribe("t").map(drop) })
                .on_message(|peer, message| async move { peer.publish("t", message).map(drop) }),
        );
        let mut ada = server.connect("/").await.unwrap();
        let mut bob = server.connect("/").await.unwrap();
        let asks = async {
            for n in 0..100 {
                ada.send(n.to_string()).unwrap();
                assert_eq!(ada.next().await.unwrap().text(), Ok(&*n.to_string()));
            }
        };
        let answers = async {
            for _ in 0..100 {
                let message = bob.next().await.unwrap();
                bob.send(message).unwrap();
            }
        };
        zip(asks, answers).await;
    });
}

#[test]
fn a_hook_connects_talks_and_waits_itself() {
    block_on(async {
        let held = Arc::new(OnceLock::<TestServer>::new());
        let hooks = {
            let held = Arc::clone(&held);
            hooks().on_message(move |peer: Peer, message: Message| {
                let server = held.get().unwrap().clone();
                async move {
                    if peer.namespace() == "/inner" {
                        peer.send(format!("{message}!"))?;
                        return Ok::<_, BoxError>(());
                    }
                    let mut inner = server.connect("/inner").await?;
                    inner.send(message)?;
                    let answer = inner.next().await.ok_or("no answer")?;
                    assert_eq!(server.hub().namespaces().len(), 2);
                    inner.close_without_code();
                    inner.closed().await;
                    server.settle().await;
                    server.advance(Duration::from_secs(1)).await;
                    peer.send(answer)?;
                    Ok(())
                }
            })
        };
        let server = TestServer::new(hooks);
        held.set(server.clone()).unwrap();
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = server.connect("/outer").await.unwrap();
            client.send("hello").unwrap();
            clients.push(client);
        }
        for client in &mut clients {
            assert_eq!(client.next().await.unwrap().text(), Ok("hello!"));
        }
        assert_eq!(server.now(), Duration::from_secs(3));
    });
}

#[test]
fn a_hook_may_settle_the_other_connections() {
    block_on(async {
        let held = Arc::new(OnceLock::<TestServer>::new());
        let hooks = {
            let held = Arc::clone(&held);
            hooks().on_message(move |peer: Peer, message| {
                let server = held.get().unwrap().clone();
                async move {
                    if peer.namespace() == "/outer" {
                        let mut inner = server.connect("/inner").await?;
                        inner.send(message)?;
                        server.settle().await;
                        peer.send(inner.try_next().ok_or("not settled")?)?;
                    } else {
                        peer.send(message)?;
                    }
                    Ok::<_, BoxError>(())
                }
            })
        };
        let server = TestServer::new(hooks);
        held.set(server.clone()).unwrap();
        let mut one = server.connect("/outer").await.unwrap();
        let mut two = server.connect("/outer").await.unwrap();
        one.send("1").unwrap();
        two.send("2").unwrap();
        assert_eq!(one.next().await.unwrap().text(), Ok("1"));
        assert_eq!(two.next().await.unwrap().text(), Ok("2"));
    });
}

#[test]
fn servers_may_talk_to_each_other() {
    block_on(async {
        let back = echo();
        let front = TestServer::new(hooks().on_message(move |peer: Peer, message| {
            let back = back.clone();
            async move {
                let mut client = back.connect("/").await?;
                client.send(message)?;
                peer.send(client.next().await.ok_or("no answer")?)?;
                Ok::<_, BoxError>(())
            }
        }));
        let mut client = front.connect("/").await.unwrap();
        client.send("there and back").unwrap();
        assert_eq!(client.next().await.unwrap().text(), Ok("there and back"));
    });
}

#[test]
fn a_hook_that_only_yields_does_not_keep_the_caller_away() {
    block_on(async {
        let stop = Arc::new(AtomicBool::new(false));
        let polls = Arc::new(AtomicUsize::new(0));
        let server = {
            let (stop, polls) = (Arc::clone(&stop), Arc::clone(&polls));
            TestServer::new(hooks().on_message(move |peer: Peer, _| {
                let (stop, polls) = (Arc::clone(&stop), Arc::clone(&polls));
                async move {
                    while !stop.load(Ordering::SeqCst) {
                        polls.fetch_add(1, Ordering::SeqCst);
                        future::yield_now().await;
                    }
                    peer.send("stopped")
                }
            }))
        };
        let mut client = server.connect("/").await.unwrap();
        client.send("spin").unwrap();
        assert!(poll_once(client.next()).await.is_none());
        assert!(polls.load(Ordering::SeqCst) > 0);
        stop.store(true, Ordering::SeqCst);
        assert_eq!(client.next().await.unwrap().text(), Ok("stopped"));
    });
}

#[test]
fn a_dropped_wait_loses_nothing() {
    block_on(async {
        let server = echo();
        let mut client = server.connect("/").await.unwrap();
        assert!(poll_once(client.next()).await.is_none());
        client.send("kept").unwrap();
        drop(client.next());
        server.settle().await;
        assert_eq!(
            poll_once(client.next()).await.unwrap().unwrap().text(),
            Ok("kept")
        );
    });
}

#[test]
fn a_task_that_owns_its_client_may_be_dropped_by_its_waker() {
    /// A task that only its wakers keep alive, as in an executor.
    struct Task(Mutex<Option<BoxFuture<'static, ()>>>);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    block_on(async {
        let server = echo();
        let mut client = server.connect("/").await.unwrap();
        let mut other = server.connect("/").await.unwrap();
        let task = Arc::new(Task(Mutex::new(None)));
        let waker = Waker::from(Arc::clone(&task));
        *task.0.lock().unwrap() = Some(Box::pin(async move {
            client.next().await;
        }));
        let mut running = task.0.lock().unwrap().take().unwrap();
        let poll = running.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
        *task.0.lock().unwrap() = Some(running);
        drop((task, waker));
        // Only the toolkit holds the task now; the next wake drops it, together with the client.
        other.send("wake everybody").unwrap();
        assert!(other.next().await.is_some());
        server
            .hub()
            .in_all_namespaces()
            .broadcast("wake it")
            .unwrap();
        server.settle().await;
        assert_eq!(server.hub().peers().len(), 1);
    });
}

#[test]
fn tokio_runs_it_and_its_timers_wake_hooks() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = TestServer::new(hooks().on_message(|peer, message| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            peer.send(message)
        }));
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let server = server.clone();
                tokio::spawn(async move {
                    let mut client = server.connect("/").await.unwrap();
                    for m in 0..10 {
                        let text = format!("{n} {m}");
                        client.send(&*text).unwrap();
                        assert_eq!(client.next().await.unwrap().text(), Ok(&*text));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        server.settle().await;
        assert_eq!(server.hub().stats().sessions, 0);
    });
}

#[test]
fn handles_and_futures_are_send() {
    fn is_send<T: Send>(_: &T) {}
    fn is_sync<T: Sync>(_: &T) {}
    let server = echo();
    is_send(&server);
    is_sync(&server);
    is_send(&server.connect("/").into_future());
    is_send(&server.advance(Duration::ZERO));
    is_send(&server.shutdown(Shutdown::default()));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        is_send(&client);
        is_send(&client.next());
        is_send(&client.closed());
    });
}
