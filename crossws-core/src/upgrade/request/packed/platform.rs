//! What the platform knows of a request: the first bytes of its packed form.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

// The kind of address, in the first byte.
const V4: u8 = 1;
const V6: u8 = 2;
// Flags beside it.
const SECURE: u8 = 0x80;
pub(super) const FORWARDED: u8 = 0x40;
pub(super) const HTTP_2: u8 = 0x20;

/// The largest size.
pub(super) const MOST: usize = 1 + 16 + 2 + 4 + 4;

/// Appends the platform's knowledge of a request.
pub(super) fn put(bytes: &mut Vec<u8>, addr: Option<SocketAddr>, secure: bool) {
    let kind = match addr {
        None => 0,
        Some(SocketAddr::V4(_)) => V4,
        Some(SocketAddr::V6(_)) => V6,
    };
    bytes.push(kind | if secure { SECURE } else { 0 });
    match addr {
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

/// Returns whether the connection is encrypted, the client's address, and the bytes that follow.
pub(super) fn take(bytes: &[u8]) -> (bool, Option<SocketAddr>, &[u8]) {
    // The packed form is complete: nothing here is missing.
    let Some((kind, rest)) = bytes.split_first() else {
        return (false, None, &[]);
    };
    let (addr, rest) = match kind & !(SECURE | FORWARDED | HTTP_2) {
        V4 => take_v4(rest),
        V6 => take_v6(rest),
        _ => None,
    }
    .map_or((None, rest), |(addr, rest)| (Some(addr), rest));
    (kind & SECURE != 0, addr, rest)
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

fn take_v4(bytes: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (ip, rest) = bytes.split_first_chunk::<4>()?;
    let (port, rest) = rest.split_first_chunk()?;
    let addr = SocketAddrV4::new(Ipv4Addr::from(*ip), u16::from_be_bytes(*port));
    Some((addr.into(), rest))
}

fn take_v6(bytes: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (ip, rest) = bytes.split_first_chunk::<16>()?;
    let (port, rest) = rest.split_first_chunk()?;
    let (flow, rest) = rest.split_first_chunk()?;
    let (scope, rest) = rest.split_first_chunk()?;
    let (flow, scope) = (u32::from_be_bytes(*flow), u32::from_be_bytes(*scope));
    let addr = SocketAddrV6::new(Ipv6Addr::from(*ip), u16::from_be_bytes(*port), flow, scope);
    Some((addr.into(), rest))
}
