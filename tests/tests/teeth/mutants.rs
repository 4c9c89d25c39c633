//! The table of faults: for each, the cases that it must fail.

mod bytes;
mod connection;
mod hooks;
mod hub;
mod limits;
mod upgrade;

use super::faults::Fault;

/// Where a fault is put. Without one, the adapter passes everything.
#[derive(Debug)]
pub enum Place {
    /// Into the adapter made for it.
    Brittle,
    /// Into the same one, which does not offer topics.
    WithoutTopics,
    /// Into the same one, whose hub is one of several.
    InParts,
    /// Around the memory adapter, which has the clock.
    Memory,
    /// Around the tokio adapter, which has the bytes.
    Tokio,
}

/// A fault, and what it breaks.
pub struct Mutant {
    /// The fault.
    pub fault: Option<Fault>,
    /// Where it is.
    pub place: Place,
    /// The cases that must fail. Others may fail too.
    pub fails: &'static [&'static str],
}

/// Returns an adapter without a fault.
const fn sound(place: Place) -> Mutant {
    Mutant {
        fault: None,
        place,
        fails: &[],
    }
}

impl Fault {
    const fn put(self, place: Place) -> Mutant {
        Mutant {
            fault: Some(self),
            place,
            fails: &[],
        }
    }
}

impl Mutant {
    const fn fails(mut self, cases: &'static [&'static str]) -> Self {
        self.fails = cases;
        self
    }
}

const SOUND: &[Mutant] = &[
    sound(Place::Brittle),
    sound(Place::WithoutTopics),
    sound(Place::InParts),
];

/// Returns the adapters without a fault, and then one for each fault.
pub fn all() -> impl Iterator<Item = &'static Mutant> {
    [
        SOUND,
        upgrade::MUTANTS,
        connection::MUTANTS,
        hub::MUTANTS,
        hooks::MUTANTS,
        limits::MUTANTS,
        bytes::MUTANTS,
    ]
    .into_iter()
    .flatten()
}
