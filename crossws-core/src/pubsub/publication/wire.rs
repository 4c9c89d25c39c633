use std::any::TypeId;

use crate::pubsub::publication::Publication;

/// A family of wire formats. A number with a meaning for the family alone distinguishes them: the
/// parameters of a compression, for example.
pub trait Encoding: 'static {
    /// Appends the message as bytes on the wire. It must be a pure function of the variant and the
    /// publication, because all readers of this format share the result.
    fn append(variant: u64, publication: &Publication, to: &mut Vec<u8>);

    /// Returns whether that takes long, as compression does: then it runs before the topic is
    /// locked. False by default, for encodings that cost no more than a copy.
    fn takes_long(variant: u64, publication: &Publication) -> bool {
        let _ = (variant, publication);
        false
    }
}

/// One wire format: the encoding that all connections with it share. Two are equal if they are the
/// same variant of the same [`Encoding`].
#[derive(Clone, Copy)]
pub struct Wire {
    family: TypeId,
    variant: u64,
    append: fn(u64, &Publication, &mut Vec<u8>),
    takes_long: fn(u64, &Publication) -> bool,
}

impl Wire {
    /// Creates a variant of an encoding.
    pub fn new<E: Encoding>(variant: u64) -> Self {
        Self {
            family: TypeId::of::<E>(),
            variant,
            append: E::append,
            takes_long: E::takes_long,
        }
    }

    /// Appends the message in this format.
    pub fn append(&self, publication: &Publication, to: &mut Vec<u8>) {
        (self.append)(self.variant, publication, to);
    }

    /// Returns whether encoding takes long: see [`Encoding::takes_long`].
    pub(crate) fn takes_long(&self, publication: &Publication) -> bool {
        (self.takes_long)(self.variant, publication)
    }
}

// Not by the function's address: the compiler may give one function two addresses, or two functions
// one.
impl PartialEq for Wire {
    fn eq(&self, other: &Self) -> bool {
        (self.family, self.variant) == (other.family, other.variant)
    }
}

impl Eq for Wire {}

crate::opaque_debug!([] Wire, self => (format_args!("{}", self.variant)));
