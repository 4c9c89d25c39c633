use crossws_core::UpgradeRequest;
use crossws_core::adapter::is_token;

/// Which of the client's subprotocols the upstream is offered.
#[derive(Debug, Default)]
pub(crate) enum Protocols {
    #[default]
    All,
    Listed(Vec<String>),
}

impl Protocols {
    /// Returns the subprotocols to offer, in the client's order and each once.
    pub(crate) fn of(&self, request: &UpgradeRequest) -> Vec<String> {
        let mut offered: Vec<String> = Vec::new();
        for protocol in request.protocols() {
            let wanted = match self {
                Self::All => true,
                Self::Listed(listed) => listed.iter().any(|one| one == protocol),
            };
            if wanted && is_token(protocol) && !offered.iter().any(|one| one == protocol) {
                offered.push(protocol.to_owned());
            }
        }
        offered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subprotocols_are_forwarded_by_the_list_and_each_once() {
        let offer: &[u8] = b"b, a, a b, c, b, \"x\"";
        let request = UpgradeRequest::from_head("/", [("sec-websocket-protocol", offer)]).unwrap();
        let of = |protocols: Protocols| protocols.of(&request);
        assert_eq!(of(Protocols::All), ["b", "a", "c"]);
        assert_eq!(
            of(Protocols::Listed(vec!["c".into(), "b".into(), "d".into()])),
            ["b", "c"]
        );
        assert!(of(Protocols::Listed(Vec::new())).is_empty());
    }
}
