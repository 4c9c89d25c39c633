//! How peers become members of a topic, and leave it.

use crate::peer::Peer;
use crate::peer::members::Key;
use crate::pubsub::topic::{Place, Topic};

impl Topic {
    /// Adds a peer that is not a member yet. `remember` notes the key at the peer, or returns
    /// `false` if the peer is leaving and must not be added. It runs under the lock, so that no
    /// publication of the peer comes in between, whose author would be unknown.
    pub(crate) fn insert(&self, peer: &Peer, remember: impl FnOnce(Key) -> bool) -> bool {
        let wire = peer.wire();
        let mut state = self.state.lock();
        let state = &mut *state;
        let key = state.members.insert(peer.clone(), Place::Deaf);
        if !remember(key) {
            // The caller holds another handle: this one is not the last.
            state.members.remove(key, peer);
            return false;
        }
        let place = match wire.and_then(|wire| state.lane(wire)) {
            None => {
                state.handed.push(key);
                Place::Handed(state.handed.len() as Key - 1)
            }
            Some((number, lane)) => {
                lane.members += 1;
                lane.idle.push(key);
                Place::Idle(number, lane.idle.len() as Key - 1)
            }
        };
        state.put(key, place);
        true
    }

    /// Removes a member. Earlier publications are still its to read. Returns the handle, which the
    /// caller must drop where that may run user code.
    pub(crate) fn remove(&self, key: Key, peer: &Peer) -> Option<Peer> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let (peer, place) = state.members.remove(key, peer)?;
        match place {
            Place::Handed(at) => {
                state.handed.swap_remove(at as usize);
                if let Some(moved) = state.handed.get(at as usize).copied() {
                    state.put(moved, Place::Handed(at));
                }
            }
            Place::Idle(lane, at) => {
                let found = state.lanes.get_mut(usize::from(lane))?;
                found.members -= 1;
                found.idle.swap_remove(at as usize);
                if let Some(moved) = found.idle.get(at as usize).copied() {
                    state.put(moved, Place::Idle(lane, at));
                }
            }
            Place::Reading(reader) => {
                let reading = state.readers.get_mut(reader as usize)?;
                reading.member = None;
                if let Some(lane) = state.lanes.get_mut(usize::from(reading.lane)) {
                    lane.members -= 1;
                    if let Some(cursor) = reading.cursor.take() {
                        reading.rest = lane.log.detach(&cursor, key).map(Box::new);
                    }
                }
            }
            Place::Deaf => {}
        }
        Some(peer)
    }
}
