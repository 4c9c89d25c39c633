//! The chat itself. Nothing here names a runtime: the same file runs wherever crossws does.
//!
//! A client connects to `/rooms/ROOM?name=NAME`, both percent-encoded, and sends JSON. First it
//! gets a `welcome` with every member of the room, itself included. After that it gets one message
//! for each member who joins or leaves. It must ignore a `left` of a member that it does not know.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossws::http::StatusCode;
use crossws::{
    Closed, HookResult, Hooks, Hub, Json, Message, Peer, PeerId, PublishError, Published,
    Rejection, Resolve, Upgrade, UpgradeRequest, resolve_with,
};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// A message of a client.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum FromClient {
    Say { text: String },
    Typing { on: bool },
}

/// A message to a client.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ToClient<'a> {
    Welcome {
        id: PeerId,
        name: &'a str,
        room: &'a str,
        people: Vec<Person>,
    },
    Joined {
        id: PeerId,
        name: &'a str,
    },
    Left {
        id: PeerId,
        name: &'a str,
    },
    Said {
        id: PeerId,
        name: &'a str,
        text: &'a str,
    },
    Typing {
        id: PeerId,
        name: &'a str,
        on: bool,
    },
    Announced {
        text: &'a str,
    },
    Error {
        message: &'a str,
    },
}

#[derive(Serialize)]
struct Person {
    id: PeerId,
    name: String,
}

/// The server's data about a peer: its typed context.
#[derive(Serialize, Deserialize)]
struct Member {
    name: String,
    room: String,
}

const ROOMS: &str = "/rooms/";

/// The one topic of each room. The room itself is the namespace, so no message crosses between
/// rooms.
const TALK: &str = "talk";

const LONGEST_NAME: usize = 32;
const LONGEST_ROOM: usize = 64;
const LONGEST_TEXT: usize = 4_000;

/// Returns the chat at `/rooms/*`. Every other path is left to the HTTP service.
pub(crate) fn chat() -> impl Resolve<Hooks = Chat> {
    let chat = Arc::new(Chat::default());
    resolve_with(move |request| {
        let ours = request.path().starts_with(ROOMS);
        ours.then(|| Arc::clone(&chat))
    })
}

/// Sends to every member of every room.
pub(crate) fn announce(hub: &Hub, text: &str) -> Result<Published, PublishError> {
    let everywhere = hub.in_all_namespaces();
    everywhere.publish(TALK, Json(ToClient::Announced { text }))
}

#[derive(Default)]
pub(crate) struct Chat {
    /// Hooks of different peers run concurrently. Joining and leaving take this lock, so that a
    /// welcome's list is consistent with the `joined` and `left` after it.
    door: Mutex<()>,
}

impl Hooks for Chat {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        #[derive(Deserialize)]
        struct Query {
            name: String,
        }
        let query = request.query().unwrap_or_default();
        let Query { name } = serde_urlencoded::from_str(query)
            .map_err(|error| bad_request(format!("the query needs one `name`: {error}")))?;
        let room = request.path().strip_prefix(ROOMS).unwrap_or_default();
        let room = percent_decode_str(room)
            .decode_utf8()
            .map_err(|_| bad_request("the room's name is not UTF-8"))?
            .into_owned();
        check("name", &name, LONGEST_NAME)?;
        check("room's name", &room, LONGEST_ROOM)?;
        Ok(Upgrade::new()
            .namespace(format!("{ROOMS}{room}"))
            .context(Member { name, room }))
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        let Member { name, room } = &*peer.context()?;
        let id = peer.id();
        let _door = self.door();
        let mut people: Vec<_> = peer.peers().iter().filter_map(person_in_the_room).collect();
        people.push(Person {
            id,
            name: name.clone(),
        });
        peer.send(Json(ToClient::Welcome {
            id,
            name,
            room,
            people,
        }))?;
        // Subscribes only now, so that no message precedes the welcome.
        peer.subscribe(TALK)?;
        peer.publish(TALK, Json(ToClient::Joined { id, name }))?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        let Member { name, .. } = &*peer.context()?;
        let id = peer.id();
        match message.json() {
            Ok(FromClient::Say { text }) if text.chars().count() > LONGEST_TEXT => {
                let message = &format!("a text has at most {LONGEST_TEXT} characters");
                peer.send(Json(ToClient::Error { message }))?;
            }
            Ok(FromClient::Say { text }) => {
                // Including the sender, so that every member of the room gets the same order.
                let text = &text;
                peer.to(TALK)
                    .including_self()
                    .send(Json(ToClient::Said { id, name, text }))?;
            }
            Ok(FromClient::Typing { on }) => {
                peer.publish(TALK, Json(ToClient::Typing { id, name, on }))?;
            }
            Err(error) => {
                let message = &error.to_string();
                peer.send(Json(ToClient::Error { message }))?;
            }
        }
        Ok(())
    }

    async fn close(&self, peer: &Peer, _: Closed) -> HookResult {
        let Member { name, .. } = &*peer.context()?;
        let _door = self.door();
        let id = peer.id();
        peer.publish(TALK, Json(ToClient::Left { id, name }))?;
        Ok(())
    }
}

impl Chat {
    /// Never held over an await.
    fn door(&self) -> MutexGuard<'_, ()> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the member of a peer whose `open` has run. A peer whose `open` has not run is not in the
/// room yet.
fn person_in_the_room(peer: &Peer) -> Option<Person> {
    let member = peer.context::<Member>().ok()?;
    peer.is_subscribed(TALK).then(|| Person {
        id: peer.id(),
        name: member.name.clone(),
    })
}

fn check(what: &str, text: &str, longest: usize) -> Result<(), Rejection> {
    let fits = (1..=longest).contains(&text.chars().count());
    if fits && !text.trim().is_empty() && !text.contains(char::is_control) {
        return Ok(());
    }
    Err(bad_request(format!(
        "a {what} has 1 to {longest} characters, not only blanks and no control characters"
    )))
}

fn bad_request(text: impl Into<String>) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, text.into())
}
