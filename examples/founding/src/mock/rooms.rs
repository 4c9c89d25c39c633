//! `/mock/ws/rooms`

use crossws::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum FromClient {
    Join {
        room: String,
    },
    Leave {
        room: String,
    },
    All {
        data: Value,
    },
    Only {
        rooms: Vec<String>,
        except: Vec<String>,
        data: Value,
    },
}

fn all(data: Value) -> Json<Value> {
    Json(json!({ "type": "all", "data": data }))
}

pub(super) struct Rooms;

impl Hooks for Rooms {
    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        match message.json()? {
            FromClient::Join { room } => {
                peer.subscribe(room)?;
            }
            FromClient::Leave { room } => {
                peer.unsubscribe(room);
            }
            FromClient::All { data } => {
                peer.to_own_topics().send(all(data))?;
                return Ok(());
            }
            FromClient::Only {
                rooms,
                except,
                data,
            } => {
                peer.to(rooms).except(except).send(all(data))?;
                return Ok(());
            }
        }
        let mut rooms = peer.topics();
        rooms.sort();
        peer.send(Json(json!({ "type": "rooms", "rooms": rooms })))?;
        Ok(())
    }
}
