//! crossws on tokio: one thread, or `THREADS` workers.

use std::env;
use std::io;

use crossws::tokio::Server;
use crossws_bench::app;
use tokio::runtime::Builder;

fn main() -> io::Result<()> {
    let threads = env::var("THREADS").ok().and_then(|n| n.parse().ok());
    let runtime = match threads {
        None | Some(0) => Builder::new_current_thread().enable_all().build()?,
        Some(threads) => Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?,
    };
    // Workers run spawned tasks. `block_on` polls its own future on this thread.
    runtime.block_on(async {
        let server = Server::builder(app::hooks())
            .hub(app::hub())
            .bind(app::address())
            .await?;
        println!("http://{}", server.local_addr());
        server.run().await
    })
}
