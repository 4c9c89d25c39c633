use crossws_app::{Typed, TypedPeer, typed};
use crossws_core::HookResult;

struct FromPlayer;

struct ToPlayer;

struct Game;

impl Typed for Game {
    type In = FromPlayer;
    type Out = ToPlayer;

    async fn message(&self, _: &TypedPeer<ToPlayer>, _: FromPlayer) -> HookResult {
        Ok(())
    }
}

struct Chat;

fn main() {
    let _ = typed(Game);
    let _ = typed(Chat);
}
