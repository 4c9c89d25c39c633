//! The parts that these servers share: the paths of benches/src/app.rs, and topics.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The application that a path selects.
pub enum App {
    Echo,
    Room(String),
}

pub fn app(path: &str) -> App {
    let mut path = path.split('/').skip(1);
    match path.next() {
        Some("echo") => App::Echo,
        _ => App::Room(path.next().unwrap_or("room").to_owned()),
    }
}

type Members<M> = Vec<(u64, UnboundedSender<M>)>;

/// The members of each room. A message is encoded once and cloned by reference.
pub struct Rooms<M>(Arc<Mutex<State<M>>>);

struct State<M> {
    next: u64,
    rooms: HashMap<String, Arc<Mutex<Members<M>>>>,
}

impl<M> Clone for Rooms<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Default for Rooms<M> {
    fn default() -> Self {
        let rooms = HashMap::new();
        Self(Arc::new(Mutex::new(State { next: 0, rooms })))
    }
}

impl<M: Clone> Rooms<M> {
    /// Joins a room. The receiver yields the other members' messages.
    pub fn join(&self, name: String) -> (Member<M>, UnboundedReceiver<M>) {
        let (sender, receiver) = unbounded_channel();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.next += 1;
        let id = state.next;
        let room = Arc::clone(state.rooms.entry(name).or_default());
        lock(&room).push((id, sender));
        (Member { id, room }, receiver)
    }
}

pub struct Member<M> {
    id: u64,
    room: Arc<Mutex<Members<M>>>,
}

impl<M: Clone> Member<M> {
    /// Sends a message to the other members.
    pub fn publish(&self, message: &M) {
        for (id, member) in &*lock(&self.room) {
            if *id != self.id {
                let _ = member.send(message.clone());
            }
        }
    }
}

impl<M> Drop for Member<M> {
    fn drop(&mut self) {
        lock(&self.room).retain(|(id, _)| *id != self.id);
    }
}

fn lock<M>(room: &Mutex<Members<M>>) -> std::sync::MutexGuard<'_, Members<M>> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the address to listen on. Prints the versions first if the arguments ask for them.
pub fn address(version: &str) -> String {
    if std::env::args().any(|arg| arg == "--version") {
        println!("{version}");
        std::process::exit(0);
    }
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    format!("127.0.0.1:{port}")
}

/// Returns the files with the certificate and the key, in PEM, if connections must be encrypted.
pub fn tls() -> Option<(String, String)> {
    let file = |name| std::env::var(name).ok();
    file("TLS_CERT").zip(file("TLS_KEY"))
}
