use crossws_core::UpgradeRequest;
use crossws_core::adapter::is_token;

/// The list of subprotocols that the upstream may be offered. Without one it is offered all of the client's.
#[derive(Debug, Default)]
pub(crate) struct Protocols(pub(crate) Option<Vec<String>>);

impl Protocols {
    /// Returns the subprotocols to offer, in the client's order and each once.
    pub(crate) fn of(&self, request: &UpgradeRequest) -> Vec<String> {
        let mut offered: Vec<String> = Vec::new();
        for protocol in request.protocols() {
            let is_in = |list: &Vec<String>| list.iter().any(|one| one == protocol);
            if self.0.as_ref().is_none_or(is_in) && is_token(protocol) && !is_in(&offered) {
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
        assert_eq!(of(Protocols(None)), ["b", "a", "c"]);
        assert_eq!(
            of(Protocols(Some(vec!["c".into(), "b".into(), "d".into()]))),
            ["b", "c"]
        );
        assert!(of(Protocols(Some(Vec::new()))).is_empty());
    }
}
