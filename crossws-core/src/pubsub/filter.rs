use std::borrow::Cow;

use smallvec::SmallVec;

/// Selects, by label, the recipients of a message: see [`filter_setters!`](crate::filter_setters).
#[doc(hidden)]
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    pub(crate) tagged: Names<'a>,
    pub(crate) not_tagged: Names<'a>,
    pub(crate) not_identity: Names<'a>,
}

type Names<'a> = SmallVec<[Cow<'a, str>; 1]>;

impl<'a> Filter<'a> {
    /// Requires this tag.
    #[must_use]
    pub fn with_tag(mut self, tag: Cow<'a, str>) -> Self {
        self.tagged.push(tag);
        self
    }

    /// Excludes this tag.
    #[must_use]
    pub fn without_tag(mut self, tag: Cow<'a, str>) -> Self {
        self.not_tagged.push(tag);
        self
    }

    /// Excludes this identity.
    #[must_use]
    pub fn without_identity(mut self, identity: Cow<'a, str>) -> Self {
        self.not_identity.push(identity);
        self
    }

    /// Returns whether every peer is admitted.
    pub fn is_empty(&self) -> bool {
        self.tagged.is_empty() && self.not_tagged.is_empty() && self.not_identity.is_empty()
    }
}

/// The setters of [`Filter`] for a type that stores it in this field: one list for every type that
/// addresses many peers. The literals are the examples' code before the method, the expression that has
/// it, and the message.
#[doc(hidden)]
#[macro_export]
macro_rules! filter_setters {
    ($($field:ident).+, $before:literal, $to:literal, $message:literal) => {
        /// Restricts the recipients to peers with this tag, in addition to earlier tags. Each recipient is
        /// looked at, so that sending takes as long as sending the message to each of them.
        ///
        #[doc = concat!("```\n# use crossws_core::*;\n# ", $before, " -> Result<(), PublishError> {")]
        #[doc = concat!($to, ".tagged(\"moderator\").send(", $message, ")?;\n# Ok(()) }\n```")]
        pub fn tagged(mut self, tag: impl Into<std::borrow::Cow<'a, str>>) -> Self {
            self.$($field).+ = self.$($field).+.with_tag(tag.into());
            self
        }

        /// Excludes peers with this tag. Takes as long as [`tagged`](Self::tagged).
        ///
        #[doc = concat!("```\n# use crossws_core::*;\n# ", $before, " -> Result<(), PublishError> {")]
        #[doc = concat!($to, ".except_tagged(\"bot\").send(", $message, ")?;\n# Ok(()) }\n```")]
        pub fn except_tagged(mut self, tag: impl Into<std::borrow::Cow<'a, str>>) -> Self {
            self.$($field).+ = self.$($field).+.without_tag(tag.into());
            self
        }

        /// Excludes the connections of this identity: with the publisher's own, all of the user's devices.
        /// Takes as long as [`tagged`](Self::tagged).
        ///
        #[doc = concat!("```\n# use crossws_core::*;\n# ", $before, " -> Result<(), PublishError> {")]
        #[doc = concat!($to, ".except_identity(\"ann\").send(", $message, ")?;\n# Ok(()) }\n```")]
        pub fn except_identity(mut self, identity: impl Into<std::borrow::Cow<'a, str>>) -> Self {
            self.$($field).+ = self.$($field).+.without_identity(identity.into());
            self
        }
    };
}
