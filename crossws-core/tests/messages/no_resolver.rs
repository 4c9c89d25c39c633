use std::sync::Arc;

use crossws_core::{Resolve, UpgradeRequest, hooks, resolve_with};

fn serve(_: impl Resolve) {}

fn main() {
    let chat = Arc::new(hooks());
    let choose = move |_: &mut UpgradeRequest| Some(Arc::clone(&chat));
    serve(choose);
    serve(resolve_with(|_| Some(hooks())));
}
