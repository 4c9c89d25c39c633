use crossws_core::{CloseCode, CloseFrame};

use super::{Violation, utf8};

/// Parses the payload of a close frame (RFC 6455 section 5.5.1): empty, or a code and a reason.
pub(super) fn parse(payload: &[u8]) -> Result<Option<CloseFrame>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Violation::protocol("half a close code")),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    let code = CloseCode::new(code).ok_or_else(|| {
        let text = format!("close code {code} must not be sent");
        Violation::new(CloseCode::PROTOCOL, text)
    })?;
    Ok(Some(CloseFrame::new(code, utf8::check(reason)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_may_be_sent_pass_and_no_others() {
        let one_in = if cfg!(miri) { 499 } else { 1 };
        for code in (0..=u16::MAX).step_by(one_in) {
            let payload = [&code.to_be_bytes()[..], b"why"].concat();
            match parse(&payload) {
                Ok(frame) => {
                    let frame = frame.unwrap();
                    assert!(matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999));
                    assert_eq!((frame.code().get(), &**frame.reason()), (code, "why"));
                }
                Err(violation) => {
                    assert!(!matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999));
                    assert_eq!(violation.code(), CloseCode::PROTOCOL);
                }
            }
        }
    }

    #[test]
    fn a_code_is_whole_and_a_reason_is_text() {
        assert_eq!(parse(b"").unwrap(), None);
        assert_eq!(parse(b"\x03").unwrap_err().code(), CloseCode::PROTOCOL);
        assert_eq!(parse(b"\x03\xe8").unwrap(), Some(CloseCode::NORMAL.into()));
        let bad = parse(b"\x03\xe8\xff").unwrap_err();
        assert_eq!(bad.code(), CloseCode::INVALID);
    }
}
