//! crossws on tokio: one thread, or `THREADS` workers. With `TLS_CERT` and `TLS_KEY` encrypted, with
//! `HTTP2` also over HTTP/2 without TLS.

use std::env;
use std::io;

use crossws::tokio::{Http2, Server, Tls};
use crossws_bench::app;

fn main() -> io::Result<()> {
    app::runtime()?.block_on(async {
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
