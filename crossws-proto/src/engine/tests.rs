//! The engines as their users see them: bytes in, events or a verdict out.

mod chunks;
mod client;
mod compressed;
mod differential;
mod memory;
mod rules;
mod stream;

use crossws_core::{CloseCode, Limits, Message};

use super::{
    Decoder, Engine, EngineKind, Event, Opcode, Role, Tungstenite, Violation, put_masked_frame,
};

/// What became of a stream.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<Event>,
    /// What ended it, if it was not its end or a close frame.
    violation: Option<Violation>,
}

impl Outcome {
    fn code(&self) -> Option<u16> {
        self.violation
            .as_ref()
            .map(|violation| violation.code().get())
    }
}

/// Everything an engine makes of bytes that arrive in these pieces, whichever way it is asked. What
/// follows a close frame is not looked at, as in the pump.
fn decode<E: Engine>(role: Role, limits: &Limits, pieces: &[&[u8]]) -> Outcome {
    let outcome = decode_by::<E>(|_, _| None, role, limits, pieces);
    let shorter = decode_by::<E>(E::decode_short, role, limits, pieces);
    assert_eq!(shorter, outcome, "the shorter way leads elsewhere");
    outcome
}

fn decode_by<E: Engine>(
    short: impl Fn(&mut E, &mut &mut [u8]) -> Option<Message>,
    role: Role,
    limits: &Limits,
    pieces: &[&[u8]],
) -> Outcome {
    let mut engine = E::new(role, limits);
    let mut events = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            if let Some(message) = short(&mut engine, &mut input) {
                events.push(Event::Message(message));
                continue;
            }
            match engine.decode(&mut input) {
                Ok(Some(event)) => {
                    let over = matches!(event, Event::Close(_));
                    events.push(event);
                    if over {
                        let violation = None;
                        return Outcome { events, violation };
                    }
                }
                Ok(None) => break,
                Err(violation) => {
                    let violation = Some(violation);
                    return Outcome { events, violation };
                }
            }
        }
        assert!(input.is_empty(), "more is wanted although there is more");
    }
    Outcome {
        events,
        violation: None,
    }
}

/// One frame, masked as a client's.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(Role::Server, first, payload)
}

/// One frame as an engine of this role wants it.
fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = match role {
        Role::Server => 0x80,
        Role::Client => 0,
    };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(mask | len as u8),
        len @ 126..=0xffff => {
            bytes.push(mask | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(mask | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    if mask == 0 {
        bytes.extend(payload);
    } else {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        bytes.extend(key);
        bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b));
    }
    bytes
}
