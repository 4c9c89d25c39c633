//! The app on smol: `cargo run -p founding --features smol --bin founding_smol`.

use std::{env, io};

use crossws::smol::{Server, Shutdown, stop_signal};
use crossws::{BoxError, Hub, SharedResolver};

fn main() -> Result<(), BoxError> {
    if founding::describes(env::args().skip(1))? {
        return Ok(());
    }
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    smol::block_on(async {
        let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
        let hub = Hub::default();
        let app = SharedResolver::new(founding::app().merge(founding::native()));
        let server = Server::builder(app.clone())
            .hub(hub.clone())
            .http(founding::http(app, hub))
            .bind(format!("127.0.0.1:{port}"))
            .await?;
        println!("http://{}", server.local_addr());
        println!(
            "{}",
            server
                .run_until(stop_signal()?, Shutdown::default())
                .await?
        );
        Ok(())
    })
}
