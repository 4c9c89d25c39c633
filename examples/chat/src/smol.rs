//! The chat on smol: see `main.rs`. The hooks and the page are the same files.
//!
//! ```sh
//! cargo run -p chat --features smol --bin chat_smol
//! ```

use std::env;
use std::io;

use crossws::Hub;
use crossws::smol::{Server, Shutdown, stop_signal};

mod hooks;
mod pages;

fn main() -> io::Result<()> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    smol::block_on(async {
        let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
        let hub = Hub::default();
        let server = Server::builder(hooks::chat())
            .hub(hub.clone())
            .http(pages::Pages(hub))
            .bind(format!("127.0.0.1:{port}"))
            .await?;
        println!("http://{}", server.local_addr());
        let report = server
            .run_until(stop_signal()?, Shutdown::default())
            .await?;
        println!("{report}");
        Ok(())
    })
}
