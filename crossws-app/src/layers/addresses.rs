use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossws_core::http::header::RETRY_AFTER;
use crossws_core::http::{HeaderValue, StatusCode};
use crossws_core::{
    Closed, HookResult, Hooks, Peer, Rejection, SharedHooks, UpgradeRequest, Wrap, wrap,
};

use crate::layers::layer::Layer;

/// Limits how many connections one address may have at once, and may begin in a time. Further ones
/// are refused with 429 and a `Retry-After`.
///
/// An address is the client's IPv4 address, or the first 64 bits of its IPv6 address, which is what
/// a household gets. Behind a proxy put [`behind_proxies`](crate::behind_proxies) before it, or all
/// clients have the proxy's address. A connection without an address, as over Unix-domain sockets,
/// is not limited. The counts are this process's, for the routes that the layer is on.
///
/// ```
/// use std::time::Duration;
/// use crossws_app::{PerAddress, Router};
/// # use crossws_core::hooks;
///
/// let app = Router::new()
///     .layer(PerAddress::new().connections(20).rate(10, Duration::from_secs(1)))
///     .route("/chat", hooks());
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct PerAddress {
    connections: Option<usize>,
    rate: Option<(u32, Duration)>,
    known: Arc<Mutex<HashMap<IpAddr, Known>>>,
}

/// The counts of an address, as long as it has connections or has begun one lately.
#[derive(Debug, Default)]
struct Known {
    connections: usize,
    /// When none of the begun connections counts any more. The time is since the layer's first
    /// request.
    busy_until: Duration,
}

impl PerAddress {
    /// Creates a layer without limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many connections an address may have at once.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = Some(most);
        self
    }

    /// Sets how many connections may begin `per` this time: this many at once, and then one after
    /// each equal part of the time. On Workers, whose clock stands still while a request is
    /// handled, it has no effect.
    pub fn rate(mut self, most: u32, per: Duration) -> Self {
        self.rate = (!cfg!(target_family = "wasm")).then_some((most, per));
        self
    }

    fn known(&self) -> MutexGuard<'_, HashMap<IpAddr, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a connection at this time, or returns how long until the next may begin.
    fn admit(&self, ip: IpAddr, now: Duration) -> Result<Slot, Duration> {
        let mut known = self.known();
        self.forget(&mut known, now);
        let entry = known.entry(ip).or_default();
        if self
            .connections
            .is_some_and(|most| entry.connections >= most)
        {
            return Err(Duration::from_secs(1));
        }
        if let Some((most, per)) = self.rate {
            let each = per / most.max(1);
            let busy_until = entry.busy_until.max(now).saturating_add(each);
            let wait = busy_until.saturating_sub(now.saturating_add(per));
            if !wait.is_zero() || most == 0 {
                return Err(wait.max(each));
            }
            entry.busy_until = busy_until;
        }
        entry.connections += 1;
        let known = Arc::clone(&self.known);
        Ok(Slot { known, ip })
    }

    /// Removes addresses without counts, when there are many.
    fn forget(&self, known: &mut HashMap<IpAddr, Known>, now: Duration) {
        if known.len() < known.capacity() || known.len() < 64 {
            return;
        }
        known.retain(|_, known| known.connections > 0 || known.busy_until > now);
    }
}

/// Returns the time since the process first asked. Without a clock, time stands still.
fn now() -> Duration {
    #[cfg(target_family = "wasm")]
    return Duration::ZERO;
    #[cfg(not(target_family = "wasm"))]
    {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed()
    }
}

impl Layer for PerAddress {
    fn decides_who(&self) -> bool {
        false
    }

    async fn before(&self, request: &mut UpgradeRequest) -> Result<(), Rejection> {
        let Some(addr) = request.remote_addr() else {
            return Ok(());
        };
        match self.admit(network(addr), now()) {
            Ok(slot) => {
                request.attach(slot);
                Ok(())
            }
            Err(wait) => {
                let seconds = wait.as_secs_f64().ceil().max(1.0);
                let text = "too many connections from this address";
                let mut rejection = Rejection::new(StatusCode::TOO_MANY_REQUESTS, text);
                let headers = rejection.response_mut().headers_mut();
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds as u64));
                Err(rejection)
            }
        }
    }

    fn wrap(&self, hooks: SharedHooks) -> SharedHooks {
        SharedHooks::new(wrap(Counted(hooks)))
    }
}

/// Returns the network that counts as one address.
fn network(addr: SocketAddr) -> IpAddr {
    match addr.ip().to_canonical() {
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        ip => ip,
    }
}

/// One connection of an address, until it is dropped.
struct Slot {
    known: Arc<Mutex<HashMap<IpAddr, Known>>>,
    ip: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = known.get_mut(&self.ip) {
            entry.connections = entry.connections.saturating_sub(1);
        }
    }
}

/// Frees the slot with the connection, also where handles of the peer live on.
struct Counted(SharedHooks);

impl Wrap for Counted {
    type Inner = SharedHooks;

    fn inner(&self) -> &SharedHooks {
        &self.0
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        let _ended = peer.extensions().remove::<Slot>();
        self.0.close(peer, closed).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_address_may_begin_so_many_connections_in_a_time() {
        let limit = PerAddress::new().rate(4, 2 * SECOND);
        for _ in 0..4 {
            assert!(limit.admit(ip(1), SECOND).is_ok());
        }
        assert_eq!(limit.admit(ip(1), SECOND).err(), Some(SECOND / 2));
        assert!(limit.admit(ip(2), SECOND).is_ok(), "another address");
        assert!(limit.admit(ip(1), SECOND + SECOND / 2).is_ok());
        assert!(limit.admit(ip(1), SECOND + SECOND / 2).is_err());
        for _ in 0..4 {
            assert!(limit.admit(ip(1), 10 * SECOND).is_ok());
        }
    }

    #[test]
    fn an_address_may_have_so_many_connections_at_once() {
        let limit = PerAddress::new().connections(2);
        let one = limit.admit(ip(1), SECOND);
        let _two = limit.admit(ip(1), SECOND);
        assert!(limit.admit(ip(1), SECOND).is_err());
        drop(one);
        assert!(limit.admit(ip(1), SECOND).is_ok());
    }

    #[test]
    fn addresses_that_have_left_are_forgotten() {
        let limit = PerAddress::new().rate(1, SECOND);
        for number in 0..100_000_u32 {
            let ip = IpAddr::from(number.to_be_bytes());
            drop(limit.admit(ip, SECOND * number));
        }
        assert!(limit.known().len() < 1000);
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let addr = |text: &str| text.parse::<SocketAddr>().map(network).ok();
        assert_eq!(addr("[2001:db8::1]:1"), addr("[2001:db8::ffff:2]:2"));
        assert_ne!(addr("[2001:db8::1]:1"), addr("[2001:db8:0:1::1]:1"));
        assert_eq!(addr("[::ffff:192.0.2.1]:1"), addr("192.0.2.1:9"));
    }
}
