//! Decoders as their users see them: bytes in, events or a violation out.

mod chunks;
mod client;
mod compressed;
mod differential;
mod memory;
mod rules;
mod stream;
mod tungstenite;

use crossws_core::{CloseCode, Limits, Message};

use self::tungstenite::Tungstenite;
use super::{Decoder, Event, Opcode, Role, Violation, put_masked_frame};

/// A decoder of frames: ours, or the one that it is compared with.
trait Engine {
    fn new(role: Role, limits: &Limits) -> Self;

    fn decode(&mut self, input: &mut &mut [u8]) -> Result<Option<Event>, Violation>;

    fn decode_short(&mut self, _: &mut &mut [u8]) -> Option<Message> {
        None
    }
}

impl Engine for Decoder {
    fn new(role: Role, limits: &Limits) -> Self {
        Self::new(role, limits)
    }

    fn decode(&mut self, input: &mut &mut [u8]) -> Result<Option<Event>, Violation> {
        self.decode(input)
    }

    fn decode_short(&mut self, input: &mut &mut [u8]) -> Option<Message> {
        self.decode_short(input)
    }
}

/// What a stream decoded to.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<Event>,
    /// The violation that ended it, if one did.
    violation: Option<Violation>,
}

impl Outcome {
    fn code(&self) -> Option<u16> {
        self.violation
            .as_ref()
            .map(|violation| violation.code().get())
    }
}

/// Decodes bytes that arrive in these pieces, by each method of the decoder. Ignores what follows a
/// close frame, as the pump does.
fn decode<E: Engine>(role: Role, limits: &Limits, pieces: &[&[u8]]) -> Outcome {
    let outcome = decode_by::<E>(|_, _| None, role, limits, pieces);
    let shorter = decode_by::<E>(E::decode_short, role, limits, pieces);
    assert_eq!(shorter, outcome, "decode_short and decode return the same");
    outcome
}

fn decode_by<E: Engine>(
    short: impl Fn(&mut E, &mut &mut [u8]) -> Option<Message>,
    role: Role,
    limits: &Limits,
    pieces: &[&[u8]],
) -> Outcome {
    let mut decoder = E::new(role, limits);
    let mut events = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            if let Some(message) = short(&mut decoder, &mut input) {
                events.push(Event::Message(message));
                continue;
            }
            match decoder.decode(&mut input) {
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
        assert!(input.is_empty(), "`None` only after all input is consumed");
    }
    Outcome {
        events,
        violation: None,
    }
}

/// Encodes one frame, masked as a client's.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(Role::Server, first, payload)
}

/// Encodes one frame as the decoder of this role requires it.
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
