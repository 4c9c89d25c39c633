use std::cell::RefCell;
use std::rc::Rc;

use slab::Slab;
use worker::js_sys::Reflect;
use worker::wasm_bindgen::JsValue;
use worker::web_sys;

use crate::link::Link;
use crate::link::socket::stored;

/// The property in which a socket's JavaScript object stores its link's number while the object is
/// awake.
const NUMBER: &str = "__crossws";

/// The connections of an object, by their numbers.
pub(super) struct Links {
    by_number: RefCell<Slab<Rc<Link>>>,
    /// [`NUMBER`] as a JavaScript value.
    number: JsValue,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            by_number: RefCell::default(),
            number: NUMBER.into(),
        }
    }
}

impl Links {
    /// Gives a connection a number, and lists it.
    pub(super) fn list(&self, mut link: Link) -> Rc<Link> {
        let mut links = self.by_number.borrow_mut();
        let entry = links.vacant_entry();
        link.number = entry.key();
        let link = Rc::new(link);
        // Without the number, a look-up uses the attachment.
        let _ = Reflect::set(link.socket.raw(), &self.number, &link.number.into());
        entry.insert(Rc::clone(&link));
        link
    }

    /// Returns the link of a socket that the platform names in an event.
    pub(super) fn find(&self, ws: &web_sys::WebSocket) -> Option<Rc<Link>> {
        let links = self.by_number.borrow();
        let number = Reflect::get(ws, &self.number).ok()?.as_f64();
        // A value that is not a number of ours finds no link, or another peer's.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let link = number.and_then(|number| links.get(number as usize));
        // The number may be from before a sleep.
        if let Some(link) = link.filter(|link| link.socket.raw() == ws) {
            return Some(Rc::clone(link));
        }
        let id = stored(ws).ok()??.snapshot.id();
        let mut links = links.iter().map(|(_, link)| link);
        links.find(|link| link.peer.id() == id).cloned()
    }

    /// Returns the next deadline of any connection.
    pub(super) fn next_due(&self) -> Option<u64> {
        let links = self.by_number.borrow();
        links.iter().filter_map(|(_, link)| link.next_due()).min()
    }

    pub(super) fn all(&self) -> Vec<Rc<Link>> {
        let links = self.by_number.borrow();
        links.iter().map(|(_, link)| Rc::clone(link)).collect()
    }

    /// Removes the link of a connection whose hooks have ended.
    pub(super) fn remove(&self, link: &Link) {
        // Nothing is there if the object was dropped meanwhile.
        let removed = self.by_number.borrow_mut().try_remove(link.number);
        drop(removed);
    }

    pub(super) fn take(&self) -> Vec<Rc<Link>> {
        let links = self.by_number.take();
        links.into_iter().map(|(_, link)| link).collect()
    }
}
