#[cfg(unix)]
use smol::net::unix::{UnixListener, UnixStream};
use smol::net::{TcpListener, TcpStream};

use crate::runtime::Smol;

crossws_native::listeners!(Smol: TcpListener => TcpStream, UnixListener => UnixStream);
