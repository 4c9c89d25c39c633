//! The room. It uses only the public API, with default limits.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossws::{CloseCode, HookResult, Hooks, Hub, Message, Origin, Peer};
use rustix::time::{ClockId, clock_gettime};

/// `/echo` echoes, `/close` closes the room and reports how many members lagged, and how many
/// microseconds and microseconds of CPU time the call took. `/member`
/// is in the room and publishes to it. `/outsider` publishes to it. `/send` sends to each member.
/// `/hub` and `/hub-peer` start a task that publishes when they receive the text `COUNT SIZE`.
struct Room {
    /// For the publishers that send to each member.
    members: Mutex<Vec<Peer>>,
}

impl Hooks for Room {
    async fn upgrade(
        &self,
        request: &crossws::UpgradeRequest,
    ) -> Result<crossws::Upgrade, crossws::Rejection> {
        let namespace = match request.path() {
            path @ ("/echo" | "/close") => path,
            _ => "/room",
        };
        Ok(crossws::Upgrade::new().namespace(namespace))
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        if peer.request().path() == "/member" {
            peer.subscribe("room")?;
            let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            members.push(peer.clone());
        }
        peer.send("ready")?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        match peer.request().path() {
            "/send" => {
                let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
                for member in members.iter() {
                    // A closed member's client learns it from the close frame.
                    let _ = member.send(message.clone());
                }
            }
            "/echo" => {
                peer.send(message)?;
            }
            "/close" => {
                let room = peer.hub().in_namespace("/room");
                // Not those that are `behind`: that is only said while publishers wait for them.
                let lags = |peer: &&Peer| peer.buffered_amount() > 0;
                let lagging = room.peers().iter().filter(lags).count();
                let (from, cpu) = (Instant::now(), thread_cpu());
                room.close_all(CloseCode::RESTART);
                let (took, cpu) = (from.elapsed().as_micros(), thread_cpu() - cpu);
                peer.send(format!("{lagging} {took} {}", cpu.as_micros()))?;
            }
            "/hub" => peer.spawn(publish(peer.hub().clone(), message, false)),
            "/hub-peer" => peer.spawn(publish(peer.hub().clone(), message, true)),
            _ => {
                peer.publish("room", message)?;
            }
        }
        Ok(())
    }
}

/// Returns the time for which this thread has run.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Publishes as the docs of `yield_now` describe.
async fn publish(hub: Hub, message: Message, each: bool) -> HookResult {
    let text = message.text()?;
    let (count, size) = text.split_once(' ').ok_or("no numbers")?;
    let (count, size) = (count.parse::<u64>()?, size.parse::<usize>()?);
    let members = hub.in_namespace("/room").peers();
    let ids: Vec<_> = members
        .iter()
        .filter(|peer| peer.is_subscribed("room"))
        .map(Peer::id)
        .collect();
    drop(members);
    for number in 0..count {
        let mut bytes = vec![b'x'; size];
        let stamp = number.to_be_bytes();
        if size >= stamp.len() {
            bytes[..stamp.len()].copy_from_slice(&stamp);
        }
        if each {
            for id in &ids {
                if let Some(peer) = hub.peer(*id) {
                    let _ = peer.send(bytes.clone());
                    while peer.is_behind() {
                        sleep(Duration::from_millis(1)).await;
                    }
                }
            }
        } else {
            let room = hub.in_namespace("/room");
            if room.publish("room", bytes)?.behind > 0 {
                while room.behind("room") > 0 {
                    sleep(Duration::from_millis(1)).await;
                }
            }
        }
        crossws::yield_now().await;
    }
    Ok(())
}

/// Sleeps on the runtime of the current run.
async fn sleep(time: Duration) {
    if tokio::runtime::Handle::try_current().is_ok() {
        tokio::time::sleep(time).await;
    } else {
        smol::Timer::after(time).await;
    }
}

#[allow(clippy::expect_used)] // a benchmark that cannot run says why
pub(crate) fn main(runtime: &str, threads: usize) {
    let app = Room {
        members: Mutex::default(),
    };
    let hub = Hub::builder().origin(Origin::Any).build();
    if runtime == "smol" {
        // The caller has set SMOL_THREADS.
        smol::block_on(async {
            let server = crossws::smol::Server::builder(app)
                .hub(hub)
                .bind("127.0.0.1:0")
                .await;
            let server = server.expect("a free port");
            println!("{}", server.local_addr());
            server.run().await.expect("a start");
        });
        return;
    }
    let runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
        more => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(more)
            .enable_all()
            .build(),
    };
    runtime.expect("a runtime").block_on(async {
        let server = crossws::tokio::Server::builder(app)
            .hub(hub)
            .bind("127.0.0.1:0")
            .await;
        let server = server.expect("a free port");
        println!("{}", server.local_addr());
        server.run().await.expect("a start");
    });
}
