//! The chat on async-std: see `chat.rs`. The hooks and the page are the same files.
//!
//!     cargo run --example chat_async_std

use std::env;
use std::io;

use crossws::Hub;
use crossws::async_std::Server;

#[path = "chat/hooks.rs"]
mod hooks;
#[path = "chat/pages.rs"]
mod pages;

fn main() -> io::Result<()> {
    async_std::task::block_on(async {
        let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
        let hub = Hub::default();
        let server = Server::builder(hooks::chat())
            .hub(hub.clone())
            .http(pages::Pages(hub))
            .bind(format!("127.0.0.1:{port}"))
            .await?;
        println!("http://{}", server.local_addr());
        server.run().await
    })
}
