//! The client of a page, in Rust. `src/main.rs` says how to build and serve it.

use crossws::CloseCode;
use crossws::client::{Client, ClientHandle, Reconnect, connect};
use js_sys::Function;
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

const TOPIC: &str = "talk";

/// A room, as JavaScript sees it.
#[wasm_bindgen]
pub struct Room(ClientHandle);

#[wasm_bindgen]
impl Room {
    /// Connects, and calls these functions with each status and with each text that others say.
    #[wasm_bindgen(constructor)]
    pub fn new(url: String, on_status: Function, on_text: Function) -> Result<Room, JsError> {
        let client = connect(url).reconnect(Reconnect::backoff()).start()?;
        client.subscribe(TOPIC)?; // again on each new connection
        let room = Room(client.handle());
        spawn_local(report(client.handle(), on_status));
        spawn_local(read(client, on_text));
        Ok(room)
    }

    /// Says something to the others. While there is no connection, it waits.
    pub fn say(&self, text: &str) -> Result<(), JsError> {
        self.0.publish(TOPIC, text)?;
        Ok(())
    }

    /// Asks the server to close the connections of the room, as a deploy would.
    pub fn restart(&self) -> Result<(), JsError> {
        self.0.send("restart")?;
        Ok(())
    }

    /// Leaves the room.
    pub fn leave(&self) {
        self.0.close(CloseCode::NORMAL, "bye");
    }
}

async fn report(room: ClientHandle, on_status: Function) {
    let mut statuses = room.statuses();
    while let Some(status) = statuses.next().await {
        call(&on_status, &format!("{status:?}"));
    }
}

/// A publication. Answers to subscriptions have no data.
#[derive(Deserialize)]
struct Said {
    data: String,
}

async fn read(mut room: Client, on_text: Function) {
    while let Some(message) = room.next().await {
        if let Ok(Said { data }) = message.json() {
            call(&on_text, &data);
        }
    }
}

fn call(function: &Function, text: &str) {
    // A page that throws has reported it.
    let _ = function.call1(&JsValue::NULL, &JsValue::from_str(text));
}
