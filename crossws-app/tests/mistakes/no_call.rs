use crossws_app::calls::calls;
use crossws_core::{Peer, hooks};

fn main() {
    let _ = calls(hooks())
        .method("add", |numbers: (i64, i64)| async move { numbers.0 })
        .method("sum", |_: Peer, (a, b): (i64, i64)| async move { a + b })
        .event("typing", |_: String| async {});
}
