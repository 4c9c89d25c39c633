use std::io;
use std::net::SocketAddr;
use std::path::Path;

use crate::runtime::ServerRuntime;
use crate::runtime::io::Io;

/// A runtime that a client runs on: it resolves names and connects.
pub trait ConnectRuntime: ServerRuntime {
    /// Returns the addresses of a host, in the order of preference.
    ///
    /// # Errors
    /// Whatever the system's resolver reports.
    fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects to an address, and sets the options that [`tune`](crate::tune) sets.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn connect(&self, addr: SocketAddr) -> impl Future<Output = io::Result<impl Io>> + Send;

    /// Connects to a Unix-domain socket. Refused by default, for systems that have none.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn connect_unix(&self, path: &Path) -> impl Future<Output = io::Result<Box<dyn Io>>> + Send {
        let _ = path;
        let message = "this system has no Unix-domain sockets";
        std::future::ready(Err(io::Error::new(io::ErrorKind::Unsupported, message)))
    }
}
