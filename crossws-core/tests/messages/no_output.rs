use crossws_core::hooks;

fn main() {
    let _ = hooks().on_open(|_| async { 7 });
}
