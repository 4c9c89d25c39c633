use crossws_core::Upgrade;

struct User {
    name: String,
}

fn main() {
    let _ = Upgrade::new().context(User {
        name: String::new(),
    });
}
