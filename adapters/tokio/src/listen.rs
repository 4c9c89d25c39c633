use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::runtime::Tokio;

crossws_native::listeners!(Tokio: TcpListener => TcpStream, UnixListener => UnixStream);
