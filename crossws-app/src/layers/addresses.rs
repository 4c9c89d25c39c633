use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::sync::Mutex;
use crossws_core::http::header::RETRY_AFTER;
use crossws_core::http::{HeaderValue, StatusCode};
use crossws_core::{
    Closed, HookResult, Hooks, Hub, Peer, Rejection, SharedHooks, UpgradeRequest, Wrap, wrap,
};

use crate::layers::clock::Clock;
use crate::layers::layer::Layer;
use crate::layers::pace::{NEVER, Pace};

/// Limits how many connections one address may have at once, and may begin in a time. Further ones
/// are refused with 429 and a `Retry-After`.
///
/// An address is the client's IPv4 address, or the first 64 bits of its IPv6 address, which is what
/// a household gets. Behind a proxy put [`behind_proxies`](crate::behind_proxies) before it, or all
/// clients have the proxy's address. A connection without an address, as over Unix-domain sockets,
/// is not limited. The counts are this process's, for the routes that the layer is on; clones count
/// together. On Workers, each object counts those that it has admitted since it woke, and closes
/// further ones with 1008.
///
/// Besides the addresses of connections, at most 65,536 are remembered for the rate. Then the one
/// that would be forgotten first is forgotten for a new one.
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
#[doc(alias = "throttle")]
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct PerAddress {
    connections: Option<usize>,
    rate: Option<Pace>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    clock: Clock,
    known: Mutex<KnownAddresses>,
}

/// The addresses that have connections or have begun one lately.
#[derive(Debug, Default)]
struct KnownAddresses {
    counts: HashMap<IpAddr, AddressCounts>,
    /// Those without connections, by the time when they can be forgotten.
    idle: BTreeSet<(Duration, IpAddr)>,
}

#[derive(Debug, Default)]
struct AddressCounts {
    connections: usize,
    /// When none of the begun connections counts any more; zero without a rate.
    busy_until: Duration,
}

/// At most this many addresses without connections are remembered.
const MOST_IDLE: usize = 1 << 16;

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
    /// each equal part of the time. With 0 none may begin, and the refusals have no `Retry-After`. It
    /// has no effect on a server whose adapter lends no time to its hub.
    pub fn rate(mut self, most: u32, per: Duration) -> Self {
        self.rate = Some(Pace::new(most, per));
        self
    }

    /// Admits a connection at this time, or returns how long until the next may begin.
    fn admit(&self, ip: IpAddr, now: Option<Duration>) -> Result<Slot, Duration> {
        let mut known = self.shared.known.lock();
        if let Some(now) = now {
            known.forget_until(now);
        }
        let (connections, mut busy_until) = match known.counts.get(&ip) {
            Some(counts) => (counts.connections, counts.busy_until),
            None => (0, Duration::ZERO),
        };
        if self.connections.is_some_and(|most| connections >= most) {
            return Err(Duration::from_secs(1));
        }
        let before = busy_until;
        if let (Some(rate), Some(now)) = (self.rate, now) {
            rate.take(&mut busy_until, now, 1)?;
        }
        known.idle.remove(&(before, ip));
        let counts = known.counts.entry(ip).or_default();
        counts.busy_until = busy_until;
        counts.connections += 1;
        let shared = Arc::clone(&self.shared);
        Ok(Slot { shared, ip })
    }
}

impl KnownAddresses {
    /// Forgets the addresses whose connections have ended and count no more.
    fn forget_until(&mut self, now: Duration) {
        while self.idle.first().is_some_and(|(until, _)| *until <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, ip)) = self.idle.pop_first() {
            self.counts.remove(&ip);
        }
    }

    /// Ends one connection.
    fn leave(&mut self, ip: IpAddr) {
        let Some(counts) = self.counts.get_mut(&ip) else {
            return;
        };
        counts.connections = counts.connections.saturating_sub(1);
        if counts.connections > 0 {
            return;
        }
        self.idle.insert((counts.busy_until, ip));
        if counts.busy_until.is_zero() || self.idle.len() > MOST_IDLE {
            self.forget_first();
        }
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
        if request.has_woken() {
            return Ok(());
        }
        match self.admit(network(addr), self.shared.clock.now()) {
            Ok(slot) => {
                let slots = request.attached::<Slots>().unwrap_or_else(|_| {
                    let slots = Slots::default();
                    request.attach(slots.clone());
                    Arc::new(slots)
                });
                slots.0.lock().push(slot);
                Ok(())
            }
            Err(wait) => {
                let text = "too many connections from this address";
                let mut rejection = Rejection::new(StatusCode::TOO_MANY_REQUESTS, text);
                if wait != NEVER {
                    let seconds = wait.as_secs_f64().ceil().max(1.0);
                    let headers = rejection.response_mut().headers_mut();
                    headers.insert(RETRY_AFTER, HeaderValue::from(seconds as u64));
                }
                Err(rejection)
            }
        }
    }

    fn wrap(&self, hooks: SharedHooks) -> SharedHooks {
        let shared = Arc::clone(&self.shared);
        SharedHooks::new(wrap(Counted { hooks, shared }))
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
#[derive(Debug)]
struct Slot {
    shared: Arc<Shared>,
    ip: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.known.lock().leave(self.ip);
    }
}

/// The slots of one connection: one for each layer of this kind around its route.
#[derive(Debug, Clone, Default)]
struct Slots(Arc<Mutex<Vec<Slot>>>);

/// Frees the slot with the connection, also where handles of the peer live on.
struct Counted {
    hooks: SharedHooks,
    shared: Arc<Shared>,
}

impl Wrap for Counted {
    type Inner = SharedHooks;

    fn inner(&self) -> &SharedHooks {
        &self.hooks
    }

    async fn start(&self, hub: &Hub) -> HookResult {
        self.shared.clock.start(hub);
        self.hooks.start(hub).await
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        if let Some(slots) = peer.extensions().remove::<Slots>() {
            let ended = std::mem::take(&mut *slots.0.lock());
            drop(ended);
        }
        self.hooks.close(peer, closed).await
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
        let admit = |last, at| limit.admit(ip(last), Some(at));
        for _ in 0..4 {
            assert!(admit(1, SECOND).is_ok());
        }
        assert_eq!(admit(1, SECOND).err(), Some(SECOND / 2));
        assert!(admit(2, SECOND).is_ok(), "another address");
        assert!(admit(1, SECOND + SECOND / 2).is_ok());
        assert!(admit(1, SECOND + SECOND / 2).is_err());
        for _ in 0..4 {
            assert!(admit(1, 10 * SECOND).is_ok());
        }
    }

    #[test]
    fn an_address_may_have_so_many_connections_at_once() {
        let limit = PerAddress::new().connections(2);
        let admit = || limit.admit(ip(1), Some(SECOND));
        let one = admit();
        let _two = admit();
        assert!(admit().is_err());
        drop(one);
        assert!(admit().is_ok());
    }

    #[test]
    fn without_a_rate_an_address_is_forgotten_with_its_last_connection() {
        let limit = PerAddress::new().connections(2);
        let both = [limit.admit(ip(1), None), limit.admit(ip(1), None)];
        assert_eq!(limit.shared.known.lock().counts.len(), 1);
        drop(both);
        assert!(limit.shared.known.lock().counts.is_empty());
        assert!(limit.shared.known.lock().idle.is_empty());
    }

    #[test]
    fn addresses_that_have_left_are_forgotten_in_time() {
        let limit = PerAddress::new().rate(1, 2 * SECOND);
        for number in 0..1_000_u32 {
            let ip = IpAddr::from(number.to_be_bytes());
            drop(limit.admit(ip, Some(SECOND * number)));
            assert!(limit.shared.known.lock().counts.len() <= 2);
        }
    }

    #[test]
    fn any_number_of_addresses_takes_bounded_memory() {
        let limit = PerAddress::new().rate(1, 3_600 * SECOND);
        let stays = limit.admit(ip(1), Some(SECOND)).unwrap();
        for number in 0..100_000_u32 {
            let ip = IpAddr::from(number.to_be_bytes());
            drop(limit.admit(ip, Some(SECOND)));
        }
        let known = limit.shared.known.lock();
        assert_eq!(known.idle.len(), MOST_IDLE);
        assert_eq!(known.counts.len(), MOST_IDLE + 1);
        assert_eq!(known.counts[&ip(1)].connections, 1);
        drop(known);
        drop(stays);
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let addr = |text: &str| text.parse::<SocketAddr>().map(network).ok();
        assert_eq!(addr("[2001:db8::1]:1"), addr("[2001:db8::ffff:2]:2"));
        assert_ne!(addr("[2001:db8::1]:1"), addr("[2001:db8:0:1::1]:1"));
        assert_eq!(addr("[::ffff:192.0.2.1]:1"), addr("192.0.2.1:9"));
    }
}
