//! What an adapter sets on its TCP sockets, whatever the runtime.

use std::io::{self, IoSlice};
use std::net::{TcpListener, ToSocketAddrs};
use std::time::Duration;

use socket2::SockRef;

/// Connections that may wait for their accept; the system may bound it further.
const BACKLOG: i32 = 1024;

/// What may wait in the kernel unsent, in bytes, before a socket says that it is full. No round
/// number, so that a socket that has it has it from [`tune`].
const UNSENT: u32 = (64 << 10) - 1;

/// What sockets of small messages want. Failures are harmless: the system's defaults remain.
///
/// Linux hands down to a connection what was set for its listener: a connection that has it all
/// from there costs one call, a question, instead of three.
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
        // A client whose network vanished is noticed although our data is never acknowledged. Longer
        // than one takes that reads a few KiB a second: its window is closed while its system's buffer
        // empties, and the system counts that, too.
        let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(120)));
        // What a slow client has not taken waits in our bounded queue, not in the kernel's. The last
        // to be set: who has this has the others.
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
    }
}

/// Makes the drop that follows reset the connection: what [`Io::abort`](crate::Io::abort) is for
/// a TCP stream.
pub fn reset_on_drop<S>(stream: &S)
where
    for<'s> SockRef<'s>: From<&'s S>,
{
    // Nothing is lost if it fails: the drop then closes in the ordinary way.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Writes what the system has room for now, without asking a runtime whether it has any.
///
/// # Errors
/// [`WouldBlock`](io::ErrorKind::WouldBlock) if it has none; whatever else the socket reports.
pub fn write_now<S>(stream: &S, bufs: &[IoSlice<'_>]) -> io::Result<usize>
where
    for<'s> SockRef<'s>: From<&'s S>,
{
    // As the standard library's own writes: a lost connection is an error and no signal.
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

/// A listener that a runtime can take over.
pub(crate) fn bind(addr: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let addrs: Vec<_> = addr.to_socket_addrs()?.collect();
    let listener = TcpListener::bind(&addrs[..]).map_err(|error| {
        // The system's error does not name the address.
        let addrs: Vec<_> = addrs.iter().map(ToString::to_string).collect();
        let message = format!("cannot listen on {}: {error}", addrs.join(", "));
        io::Error::new(error.kind(), message)
    })?;
    tune(&listener);
    // The standard library's own backlog is small on some systems.
    SockRef::from(&listener).listen(BACKLOG)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
