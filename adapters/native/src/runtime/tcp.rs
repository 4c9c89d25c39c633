//! The options that an adapter sets on its TCP sockets, whatever the runtime.

use std::io::{self, ErrorKind, IoSlice};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use socket2::SockRef;
#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
use socket2::{Domain, Socket, Type};

/// Connections that may wait for their accept. The system may have a smaller bound.
const BACKLOG: i32 = 1024;

/// Unsent bytes in the kernel at which a socket reports that it is full. Not a round number, so
/// that a socket with this value has it from [`tune`].
const UNSENT: u32 = (64 << 10) - 1;

/// Sets the options for sockets with small messages. Failures are harmless: the system's defaults
/// remain.
///
/// On Linux, a connection inherits its listener's options. A connection that has inherited all of
/// them costs one call, the query, instead of three.
pub fn tune<S>(stream: &S)
where
    for<'s> SockRef<'s>: From<&'s S>,
{
    let socket = SockRef::from(stream);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if socket
        .tcp_notsent_lowat()
        .is_ok_and(|bytes| bytes == UNSENT)
    {
        return;
    }
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // Detects a client whose network vanished, although our data is never acknowledged. Longer
        // than the pauses of a client that reads a few KiB per second: its window is closed while
        // its system's buffer empties, and the system counts that too.
        let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(120)));
        // Data that a slow client has not read waits in our bounded queue, not in the kernel's.
        // This option is set last: a socket that has it has the others.
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
    }
}

/// Makes the drop that follows reset the connection: [`Io::abort`](crate::Io::abort) for a TCP
/// stream.
pub fn reset_on_drop<S>(stream: &S)
where
    for<'s> SockRef<'s>: From<&'s S>,
{
    // A failure is harmless: the drop then closes in the ordinary way.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Writes what the system has room for now, without the runtime's readiness.
///
/// # Errors
/// [`WouldBlock`](ErrorKind::WouldBlock) if it has no room; otherwise whatever the socket
/// reports.
pub fn write_now<S>(stream: &S, bufs: &[IoSlice<'_>]) -> io::Result<usize>
where
    for<'s> SockRef<'s>: From<&'s S>,
{
    // As in the standard library's own writes: a lost connection is an error, not a signal.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const FLAGS: i32 = libc::MSG_NOSIGNAL;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const FLAGS: i32 = 0;
    let socket = SockRef::from(stream);
    match bufs {
        // One slice is the common case, and a plain send the cheaper call.
        [buf] => socket.send_with_flags(buf, FLAGS),
        bufs => socket.send_vectored_with_flags(bufs, FLAGS),
    }
}

/// Binds a listener that a runtime can wrap. With `shares_port`, other servers may bind the same port.
pub(crate) fn bind(addr: impl ToSocketAddrs, shares_port: bool) -> io::Result<TcpListener> {
    let addrs: Vec<_> = addr.to_socket_addrs()?.collect();
    let listener = match shares_port {
        true => bind_shared(&addrs),
        false => TcpListener::bind(&addrs[..]),
    };
    let listener = listener.map_err(|error| {
        // The system's error does not name the address.
        let addrs: Vec<_> = addrs.iter().map(ToString::to_string).collect();
        let message = format!("cannot listen on {}: {error}", addrs.join(", "));
        io::Error::new(error.kind(), message)
    })?;
    tune(&listener);
    // The standard library's backlog is small on some systems.
    SockRef::from(&listener).listen(BACKLOG)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// As the standard library binds the first address that it can, with `SO_REUSEPORT`.
#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
fn bind_shared(addrs: &[SocketAddr]) -> io::Result<TcpListener> {
    let bind = |addr: &SocketAddr| {
        let socket = Socket::new(Domain::for_address(*addr), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&(*addr).into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    let mut last = io::Error::new(ErrorKind::InvalidInput, "no address");
    for addr in addrs {
        match bind(addr) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos")))))]
fn bind_shared(_: &[SocketAddr]) -> io::Result<TcpListener> {
    let message = "this system has no ports that are shared";
    Err(io::Error::new(ErrorKind::Unsupported, message))
}
