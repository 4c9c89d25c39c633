use crossws_app::rules::{kind, reply, rules};
use crossws_core::hooks;
use serde_json::{Value, json};

fn main() {
    let _ = rules(hooks())
        .on("ping", reply(json!({"type": "pong"})))
        .on(kind("ping"), json!({"type": "pong"}))
        .on(kind("echo"), |message: &Value| message["data"].clone());
}
