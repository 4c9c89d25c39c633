//! The threads that run hooks: the runtime's own. For adapters that need no tokio, the process has
//! no tokio thread: `scripts/direction` shows that tokio's runtime is not even a dependency.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossws_core::{Closed, HookResult, Hooks, Message, Peer, Rejection, Upgrade, UpgradeRequest};

use super::super::adapter::{Server, Shutdown};
use super::super::{THREADS, block_on};
use super::{assert_echoes, client, start};

/// Records the thread of each hook.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Noting {
    fn note(&self, hook: &'static str) {
        let thread = std::thread::current();
        let name = thread
            .name()
            .unwrap_or("a thread without a name")
            .to_owned();
        self.0.lock().unwrap().push((hook, name));
    }
}

impl Hooks for Noting {
    async fn upgrade(&self, _: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        self.note("upgrade");
        Ok(Upgrade::new())
    }

    async fn open(&self, _: &Peer) -> HookResult {
        self.note("open");
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        self.note("message");
        peer.send(message)?;
        Ok(())
    }

    async fn close(&self, _: &Peer, _: Closed) -> HookResult {
        self.note("close");
        Ok(())
    }
}

#[test]
fn hooks_run_on_the_runtimes_own_threads() {
    let noting = Noting::default();
    let (addr, handle) = start(Server::builder(noting.clone()));
    let mut stream = client(addr);
    assert_echoes(&mut stream);
    drop(stream);
    block_on(handle.shutdown(Shutdown::default().grace(Duration::from_secs(10))));
    let notes = noting.0.lock().unwrap();
    let hooks: Vec<_> = notes.iter().map(|(hook, _)| *hook).collect();
    assert_eq!(hooks, ["upgrade", "open", "message", "close"]);
    for (hook, thread) in &*notes {
        assert!(thread.starts_with(THREADS), "{hook} ran on {thread}");
    }
}

/// Every thread of the process, as the system reports it: none is tokio's, unless tokio is the
/// runtime.
#[cfg(target_os = "linux")]
#[test]
fn no_other_runtime_has_threads_in_this_process() {
    let (addr, handle) = start(Server::builder(Noting::default()));
    assert_echoes(&mut client(addr));
    let threads: Vec<String> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .collect();
    // The system keeps 15 characters of a name.
    let ours = |name: &&String| name.starts_with(&THREADS[..THREADS.len().min(15)]);
    assert!(threads.iter().any(|name| ours(&name)), "{threads:?}");
    let tokios = threads.iter().filter(|name| name.starts_with("tokio"));
    assert!(
        THREADS.starts_with("tokio") || tokios.count() == 0,
        "{threads:?}"
    );
    block_on(handle.shutdown(Shutdown::default().grace(Duration::from_millis(100))));
}
