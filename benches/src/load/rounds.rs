//! Rounds of messages: every reply to one round arrives before the next round.

use std::io;
use std::time::Duration;

use super::Sample;
use super::clients::{Clients, Target, Then};
use super::deck::Deck;
use super::window::Window;

/// Every client sends `depth` messages, and again once all of them have come back.
pub(crate) fn echo(
    target: &Target,
    time: Duration,
    count: u32,
    depth: u32,
    size: usize,
    binary: bool,
) -> io::Result<Sample> {
    let mut clients = Clients::connect(target, count, |_| "/echo".to_owned())?;
    let deck = Deck::new(size, binary);
    let mask = target.mask();
    let send = |out: &mut Vec<u8>, who: u32, from: u32| {
        for number in from..from + depth {
            deck.put(out, who, number, mask);
        }
    };
    let mut window = Window::new(target.process, time);
    for who in 0..count {
        clients.send(who, |out| send(out, who, 0))?;
    }
    let mut next = vec![0; count as usize];
    let mut echoed = 0;
    let mut over = false;
    let mut finished = 0;
    clients.drive(|who, opcode, payload, out| {
        let next = &mut next[who as usize];
        deck.check(opcode, payload, who, *next)?;
        *next += 1;
        echoed += 1;
        if !next.is_multiple_of(depth) {
            return Ok(Then::Continue);
        }
        over = over || (who == 0 && window.is_over(echoed)?);
        if over {
            finished += 1;
            let all = finished == count;
            return Ok(if all { Then::Done } else { Then::Continue });
        }
        send(out, who, *next);
        Ok(Then::Continue)
    })?;
    window.end(echoed)
}

/// One client publishes, and again once every subscriber has received the message.
pub(crate) fn publish(
    target: &Target,
    time: Duration,
    subscribers: u32,
    size: usize,
    binary: bool,
) -> io::Result<Sample> {
    let mut clients =
        Clients::connect(target, subscribers + 1, |_| "/chat".to_owned())?.greeted()?;
    let deck = Deck::new(size, binary);
    let mask = target.mask();
    let mut window = Window::new(target.process, time);
    let mut told = 0;
    let mut number = 0;
    while !window.is_over(told)? {
        clients.send(0, |out| deck.put(out, 0, number, mask))?;
        let mut missing = vec![true; subscribers as usize + 1];
        missing[0] = false;
        let mut left = subscribers;
        clients.drive(|who, opcode, payload, _| {
            deck.check(opcode, payload, 0, number)?;
            if !std::mem::take(&mut missing[who as usize]) {
                return Err(io::Error::other(
                    "a message came twice, or to its publisher",
                ));
            }
            left -= 1;
            Ok(if left == 0 {
                Then::Done
            } else {
                Then::Continue
            })
        })?;
        told += u64::from(subscribers);
        number += 1;
    }
    window.end(told)
}
