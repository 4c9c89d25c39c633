//! The cases. Each is a plain async function whose name is the statement that it checks. A file
//! holds the cases of one group of contracts.

use std::fmt;

use crossws_core::Capabilities;

use crate::{Fut, Scene, Target};

/// One statement about an adapter.
pub struct Case {
    /// The group of contracts it belongs to: its file.
    pub group: &'static str,
    /// The statement that it checks.
    pub name: &'static str,
    /// The capabilities that an adapter must declare for it to apply.
    pub needs: Capabilities,
    /// The capabilities that an adapter must not declare: the case checks what happens without
    /// them.
    pub lacks: Capabilities,
    /// Whether it checks the bounds of reading a request's head: see `Target::reads_heads`.
    pub own_heads: bool,
    /// Whether it checks what only sockets have: see `Target::reads_events`.
    pub on_sockets: bool,
    /// Whether it checks state that exists only in memory: see `Target::sleeps`.
    pub in_memory: bool,
    /// Whether it must do something before a deadline of the server's, which on a busy machine it may
    /// not: see `runner::run`.
    pub before_deadlines: bool,
    /// The function that checks it.
    pub run: for<'a> fn(Scene<'a>) -> Fut<'a, ()>,
}

impl Case {
    /// Returns why the case does not apply to an adapter, or `None` if it applies.
    pub fn inapplicable(&self, target: &dyn Target) -> Option<String> {
        let can = target.capabilities();
        let list = |these: Capabilities| these.names().collect::<Vec<_>>().join(", ");
        let missing = self.needs.without(can);
        let present = self.lacks.without(self.lacks.without(can));
        if missing != Capabilities::NONE {
            Some(format!("needs {}", list(missing)))
        } else if present != Capabilities::NONE {
            Some(format!("is about adapters without {}", list(present)))
        } else if self.own_heads && !target.reads_heads() {
            Some("is about adapters that read the request's head themselves".to_owned())
        } else if self.group == "bad_http" && target.speaks_http2() {
            Some("is about handshakes of HTTP/1.1".to_owned())
        } else if self.on_sockets && target.reads_events() {
            Some("is about sockets".to_owned())
        } else if self.in_memory && target.sleeps() {
            Some("is about what a sleep forgets".to_owned())
        } else {
            target.excludes(self).map(str::to_owned)
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.group, self.name)
    }
}

/// Declares a group: its functions, and the requirements of each.
macro_rules! group {
    ($(
        $case:ident: [$($need:ident),*] $(but not [$($lack:ident),*])? $(and $own:ident heads)?
        $(on $sockets:ident)? $(in $memory:ident)? $(before $deadlines:ident)?,
    )+) => {
        pub(super) fn cases() -> Vec<crate::cases::Case> {
            let group = module_path!().rsplit("::").next().unwrap_or_default();
            vec![$(crate::cases::Case {
                group,
                name: stringify!($case),
                needs: crossws_core::Capabilities::NONE
                    $(.with(crossws_core::Capabilities::$need))*,
                lacks: crossws_core::Capabilities::NONE
                    $($(.with(crossws_core::Capabilities::$lack))*)?,
                own_heads: false $(|| stringify!($own) == "own")?,
                on_sockets: false $(|| stringify!($sockets) == "sockets")?,
                in_memory: false $(|| stringify!($memory) == "memory")?,
                before_deadlines: false $(|| stringify!($deadlines) == "deadlines")?,
                run: |scene| Box::pin($case(scene)),
            }),+]
        }
    };
}

macro_rules! groups {
    ($($group:ident),+ $(,)?) => {
        $(mod $group;)+

        /// Returns every case, group by group.
        pub fn all() -> impl Iterator<Item = Case> {
            [$($group::cases()),+].into_iter().flatten()
        }
    };
}

groups!(
    upgrade,
    refusal,
    routes,
    typed,
    rules,
    calls,
    life,
    closing,
    failure,
    loops,
    peer,
    traffic,
    ending,
    waiting,
    pubsub,
    several_topics,
    rooms,
    retained,
    identities,
    hub,
    queue,
    overflow,
    timing,
    timers,
    stopping,
    bad_http,
    bad_frames,
    compression,
);

/// Encodes a client's frame: this first byte, and a masked payload.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        size @ 0..=125 => bytes.push(0x80 | size as u8),
        size @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((size as u16).to_be_bytes());
        }
        size => {
            bytes.push(0x80 | 127);
            bytes.extend((size as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}
