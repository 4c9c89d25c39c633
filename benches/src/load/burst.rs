//! Rooms: every client sends some messages, and sends again once it has received as many from each
//! other client.

use std::io;
use std::time::Duration;

use super::Sample;
use super::clients::{Clients, Target, Then};
use super::deck::Deck;
use super::window::Window;

/// The number of topics that each silent client is subscribed to.
const MANY: u32 = 100;

/// Connects silent clients in the chat's namespace, subscribed to `topics` topics in all.
pub(crate) fn others(target: &Target, topics: u32) -> io::Result<Clients> {
    let path = |number| format!("/many/{}/{MANY}", number * MANY);
    Clients::connect(target, topics / MANY, path)?.greeted()
}

/// One room of all clients.
pub(crate) fn chat(
    target: &Target,
    time: Duration,
    clients: u32,
    each: u32,
    size: usize,
) -> io::Result<Sample> {
    let members = Clients::connect(target, clients, |_| "/chat".to_owned())?.greeted()?;
    let deck = Deck::new(size, false);
    rooms(target, time, members, clients, clients, each, &deck)
}

/// A room for every pair of clients.
pub(crate) fn pairs(target: &Target, time: Duration, clients: u32) -> io::Result<Sample> {
    let path = |number| format!("/topic/{}", number / 2);
    let members = Clients::connect(target, clients, path)?.greeted()?;
    let deck = Deck::new(64, false);
    rooms(target, time, members, clients, 2, 1, &deck)
}

struct Member {
    /// Bursts that this client has begun.
    begun: u32,
    /// Messages that this client has received.
    heard: u64,
    /// The next expected number of each member of its room.
    next: Vec<u32>,
}

fn rooms(
    target: &Target,
    time: Duration,
    mut clients: Clients,
    count: u32,
    room: u32,
    each: u32,
    deck: &Deck,
) -> io::Result<Sample> {
    let mask = target.mask();
    let per_burst = u64::from(room - 1) * u64::from(each);
    let say = |out: &mut Vec<u8>, who: u32, burst: u32| {
        for number in burst * each..(burst + 1) * each {
            deck.put(out, who % room, number, mask);
        }
    };
    let mut members: Vec<Member> = (0..count)
        .map(|_| Member {
            begun: 1,
            heard: 0,
            next: vec![0; room as usize],
        })
        .collect();
    let mut window = Window::new(target.process, time);
    for who in 0..count {
        clients.send(who, |out| say(out, who, 0))?;
    }
    let mut heard = 0;
    let mut most = 1;
    // Members that have received the whole last burst.
    let mut finished = 0;
    let mut last = None;
    clients.drive(|who, opcode, payload, out| {
        let member = &mut members[who as usize];
        let sender = Deck::sender(payload)?;
        let expected = member.next.get_mut(sender as usize);
        let number = expected.map_or(u32::MAX, |next| {
            *next += 1;
            *next - 1
        });
        // A member's own messages must not come back.
        let sender = if sender == who % room {
            u32::MAX
        } else {
            sender
        };
        deck.check(opcode, payload, sender, number)?;
        member.heard += 1;
        heard += 1;
        if member.heard < per_burst * u64::from(member.begun) {
            return Ok(Then::Continue);
        }
        // The time is checked once per burst, or less often if bursts are short.
        if last.is_none() && (each > 1 || who % room == 0) && window.is_over(heard)? {
            // Other rooms may be one burst ahead, and the rest must catch up.
            last = Some(most.max(member.begun));
        }
        if last.is_some_and(|last| member.begun >= last) {
            finished += 1;
            let all = finished == count;
            return Ok(if all { Then::Done } else { Then::Continue });
        }
        say(out, who, member.begun);
        member.begun += 1;
        most = most.max(member.begun);
        Ok(Then::Continue)
    })?;
    window.end(heard)
}

/// One room, whose members write their messages one by one, in turn: `each` per member, and again
/// once every member has received everything.
pub(crate) fn singles(
    target: &Target,
    time: Duration,
    count: u32,
    each: u32,
    size: usize,
) -> io::Result<Sample> {
    let mut clients = Clients::connect(target, count, |_| "/chat".to_owned())?.greeted()?;
    let deck = Deck::new(size, false);
    let mask = target.mask();
    let mut next = vec![vec![0; count as usize]; count as usize];
    let mut window = Window::new(target.process, time);
    let per_burst = u64::from(count) * u64::from(count - 1) * u64::from(each);
    let mut heard = 0;
    let mut due = 0;
    while !window.is_over(heard)? {
        let from = (due / per_burst) as u32 * each;
        due += per_burst;
        let mut hear = |who: u32, opcode: u8, payload: &[u8], _: &mut Vec<u8>| {
            let sender = Deck::sender(payload)?;
            let expected = next[who as usize].get_mut(sender as usize);
            let number = expected.map_or(u32::MAX, |next| {
                *next += 1;
                *next - 1
            });
            // A member's own messages must not come back.
            let sender = if sender == who { u32::MAX } else { sender };
            deck.check(opcode, payload, sender, number)?;
            heard += 1;
            Ok(if heard == due {
                Then::Done
            } else {
                Then::Continue
            })
        };
        for number in from..from + each {
            for who in 0..count {
                clients.send(who, |out| deck.put(out, who, number, mask))?;
            }
            // The wait below handles what the last message of the burst brings.
            if number + 1 < from + each {
                clients.glance(&mut hear)?;
            }
        }
        clients.drive(&mut hear)?;
    }
    window.end(heard)
}
