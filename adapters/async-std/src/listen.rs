use async_std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use async_std::os::unix::net::{UnixListener, UnixStream};

use crate::runtime::AsyncStd;

crossws_native::listeners!(AsyncStd: TcpListener => TcpStream, UnixListener => UnixStream);
