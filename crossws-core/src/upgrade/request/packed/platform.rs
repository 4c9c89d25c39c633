//! What the platform knows of a request: the first bytes of its packed form.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::service::connection_info::ConnectionInfo;

// The kind of address, in the first byte.
const V4: u8 = 1;
const V6: u8 = 2;
// Flags beside it.
const SECURE: u8 = 0x80;
const FORWARDED: u8 = 0x40;
pub(super) const HTTP_2: u8 = 0x20;

/// The largest size.
pub(super) const MOST: usize = 1 + 16 + 2 + 4 + 4;

/// Appends what is known about a request's connection.
pub(super) fn put(bytes: &mut Vec<u8>, connection: ConnectionInfo, is_http_2: bool) {
    let kind = match connection.remote_addr {
        None => 0,
        Some(SocketAddr::V4(_)) => V4,
        Some(SocketAddr::V6(_)) => V6,
    };
    let flag = |bit: u8, is_set: bool| if is_set { bit } else { 0 };
    let secure = flag(SECURE, connection.secure);
    let forwarded = flag(FORWARDED, connection.forwarded);
    bytes.push(kind | secure | forwarded | flag(HTTP_2, is_http_2));
    match connection.remote_addr {
        None => {}
        Some(SocketAddr::V4(addr)) => {
            bytes.extend(addr.ip().octets());
            bytes.extend(addr.port().to_be_bytes());
        }
        Some(SocketAddr::V6(addr)) => {
            bytes.extend(addr.ip().octets());
            bytes.extend(addr.port().to_be_bytes());
            bytes.extend(addr.flowinfo().to_be_bytes());
            bytes.extend(addr.scope_id().to_be_bytes());
        }
    }
}

/// Returns what is known about the connection.
pub(super) fn connection(bytes: &[u8]) -> ConnectionInfo {
    // The packed form is complete: nothing here is missing.
    let (kind, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let addr = match kind & (V4 | V6) {
        V4 => v4(rest),
        V6 => v6(rest),
        _ => None,
    };
    ConnectionInfo::new(addr)
        .with_secure(kind & SECURE != 0)
        .with_forwarded(kind & FORWARDED != 0)
}

/// Returns the bytes that follow the platform's knowledge.
pub(super) fn skip(bytes: &[u8]) -> &[u8] {
    let kind = bytes.first().map_or(0, |kind| kind & (V4 | V6));
    let len = match kind {
        V4 => 1 + 4 + 2,
        V6 => MOST,
        _ => 1,
    };
    bytes.get(len..).unwrap_or_default()
}

fn v4(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, rest) = bytes.split_first_chunk::<4>()?;
    let port = rest.first_chunk()?;
    let addr = SocketAddrV4::new(Ipv4Addr::from(*ip), u16::from_be_bytes(*port));
    Some(addr.into())
}

fn v6(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, rest) = bytes.split_first_chunk::<16>()?;
    let (port, rest) = rest.split_first_chunk()?;
    let (flow, rest) = rest.split_first_chunk()?;
    let scope = rest.first_chunk()?;
    let (flow, scope) = (u32::from_be_bytes(*flow), u32::from_be_bytes(*scope));
    let addr = SocketAddrV6::new(Ipv6Addr::from(*ip), u16::from_be_bytes(*port), flow, scope);
    Some(addr.into())
}
