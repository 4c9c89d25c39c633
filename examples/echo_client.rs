//! A client that echoes, for Autobahn|Testsuite: it runs all cases of a fuzzing server.
//!
//!     AUTOBAHN_URL=ws://127.0.0.1:9001 AUTOBAHN_AGENT=echo_client \
//!       cargo run --release --features client,tokio --example echo_client

use std::env;
use std::error::Error;

use crossws::client::{Connect, Disconnected, connect};
use crossws::{Deflate, Limits};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// A client with the limits of the echo example's compliance profile (the suite's largest message has
/// 16 MiB, and 65,536 fragments), and everything that two sides can agree on about compression.
fn client(url: &str) -> Connect {
    let limits = Limits::default()
        .max_message_size(16 << 20)
        .max_fragments(128 << 10)
        .max_buffered(64 << 20);
    let deflate = Deflate::default()
        .server_no_context_takeover(false)
        .client_no_context_takeover(false)
        .threshold(1_usize);
    connect(url).limits(limits).deflate(deflate)
}

#[tokio::main]
async fn main() -> Outcome {
    let (url, agent) = (env::var("AUTOBAHN_URL")?, env::var("AUTOBAHN_AGENT")?);
    let mut counter = client(&format!("{url}/getCaseCount")).await?;
    let count = counter.next().await.ok_or("the server sent no count")?;
    let count: u32 = count.text()?.parse()?;
    for case in 1..=count {
        let echo = client(&format!("{url}/runCase?case={case}&agent={agent}"));
        let end = echo.run(|client, message| async move { client.send(message) });
        // The server's report says whether the failure is correct behaviour.
        if let Disconnected::Failed(error) = &*end.await? {
            eprintln!("case {case} of {count}: {error}");
        }
    }
    let report = client(&format!("{url}/updateReports?agent={agent}")).await?;
    report.closed().await;
    Ok(())
}
