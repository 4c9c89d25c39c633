//! crossws on smol, whose executor has `SMOL_THREADS` threads: one by default.

use std::io;

use crossws::smol::Server;
use crossws_bench::app;

fn main() -> io::Result<()> {
    smol::block_on(async {
        let server = Server::builder(app::hooks())
            .hub(app::hub())
            .bind(app::address())
            .await?;
        println!("http://{}", server.local_addr());
        server.run().await
    })
}
