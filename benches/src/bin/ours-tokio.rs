//! crossws on tokio: one thread, or `THREADS` workers. With `TLS_CERT` and `TLS_KEY` encrypted, with
//! `HTTP2` also over HTTP/2 without TLS.

use std::env;
use std::io;

use crossws::tokio::{Http2, Server, Tls};
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
        let mut server = Server::builder(app::hooks()).hub(app::hub());
        if let Some((chain, key)) = app::tls_files() {
            let tls = Tls::from_pem_files(chain, key).map_err(io::Error::other)?;
            server = server.tls(tls);
        }
        if env::var_os("HTTP2").is_some() {
            server = server.http2(Http2::default().prior_knowledge(true));
        }
        let server = server.bind(app::address()).await?;
        println!("http://{}", server.local_addr());
        server.run().await
    })
}
