//! x
use crossws::{Hub, Origin, hooks};
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::var("PORT").unwrap_or("3000".into());
    let echo = hooks().on_message(|peer, m| async move { peer.send(m) });
    crossws::tokio::Server::builder(echo)
        .hub(Hub::builder().origin(Origin::Any).build())
        .bind(format!("127.0.0.1:{port}"))
        .await?
        .run()
        .await;
    Ok(())
}
