//! The pages of the application. Each module has the sockets that its page uses.

pub(crate) mod tools;
