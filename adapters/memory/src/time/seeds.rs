use std::process::{ExitCode, Termination};

/// The environment variable that names the only seed to try.
const ONLY: &str = "CROSSWS_SEED";

/// Runs a test once for each seed, and says which one it fails with.
///
/// A server that is built with a [seed](crate::TestServerBuilder::seed) runs its connections in an
/// order that the seed decides: whose hook is next, how long a hook waits for its turn, the order of
/// [scripts](crate::Room::play), and the ids of peers. The same seed gives the same order, so that a
/// failure can be looked at again: with `CROSSWS_SEED=17` in the environment only that seed is tried.
///
/// ```
/// use crossws_core::{Hub, Peer, hooks};
/// use crossws_memory::{TestServer, seeds};
///
/// # futures_lite::future::block_on(async {
/// seeds(0..50, async |seed| {
///     let app = hooks().on_message(|peer, message| async move { peer.send(message) });
///     let server = TestServer::builder(app).seed(seed).build();
///     let mut room = server.room(["/", "/", "/"]).await?;
///     room.play(async |n, client| {
///         client.send(n.to_string()).unwrap();
///         client.expect(n.to_string()).await;
///     })
///     .await;
///     Ok::<_, crossws_memory::ConnectError>(())
/// })
/// .await;
/// # });
/// ```
///
/// # Panics
/// When the test panics or returns an error. Its seed is printed.
pub async fn seeds<F, T>(seeds: impl IntoIterator<Item = u64>, test: F)
where
    F: AsyncFn(u64) -> T,
    T: Termination,
{
    let only = std::env::var(ONLY).ok();
    if let Some(seed) = only.as_deref().and_then(|seed| seed.parse().ok()) {
        return run(seed, &test).await;
    }
    for seed in seeds {
        run(seed, &test).await;
    }
}

async fn run<F, T>(seed: u64, test: &F)
where
    F: AsyncFn(u64) -> T,
    T: Termination,
{
    let _failing = Failing { seed };
    let output = test(seed).await;
    // An error is printed where it is reported, as for a test that returns it.
    assert!(
        output.report() == ExitCode::SUCCESS,
        "the test returned an error with seed {seed}"
    );
}

/// Prints the seed of a test that panics.
struct Failing {
    seed: u64,
}

impl Drop for Failing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed } = self;
            eprintln!("the test failed with seed {seed}; again: {ONLY}={seed}");
        }
    }
}
