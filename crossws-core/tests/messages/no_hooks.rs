use crossws_core::{Hooks, SharedHooks};

struct Chat;

fn takes(_: impl Hooks) {}

fn main() {
    takes(Chat);
    SharedHooks::new(|| ());
}
