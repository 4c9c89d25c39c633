use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::process::{ExitCode, Termination};
use std::task::Poll;

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
/// When the test panics or returns an error, after its seed was printed.
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
    let mut running = pin!(test(seed));
    let output = poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await;
    let again = || eprintln!("the test failed with seed {seed}; again: {ONLY}={seed}");
    match output {
        // An error is printed where it is reported, as for a test that returns it.
        Ok(output) => {
            if output.report() != ExitCode::SUCCESS {
                again();
                failed(seed);
            }
        }
        Err(panic) => {
            again();
            resume_unwind(panic);
        }
    }
}

// A failed test panics.
#[allow(clippy::panic)]
fn failed(seed: u64) -> ! {
    panic!("the test returned an error with seed {seed}");
}
