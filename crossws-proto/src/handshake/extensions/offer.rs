//! The server's side of the negotiation: the client's offers, and the response to them (RFC 7692
//! section 7.1).

use crossws_core::{Deflate, Rejection};
use http::StatusCode;

use super::terms::Terms;
use super::{Agreement, NAME, parse};
use crate::deflate::{Inflater, window_bits};

#[cfg(test)]
pub(crate) mod tests;

/// Accepts the first acceptable offer. Returns `None` if there is none.
///
/// # Errors
/// 400 when the header is malformed, when compression is required and no acceptable offer was made,
/// or when the configuration is strict and no offer of permessage-deflate is acceptable.
pub(crate) fn negotiate<'a>(
    config: &Deflate,
    headers: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Agreement>, Rejection> {
    let mut offered = false;
    for header in headers {
        let offers = parse(header)
            .map_err(|error| Rejection::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        for offer in offers.iter().filter(|offer| offer.name == NAME) {
            offered = true;
            if let Some(terms) = Terms::of(offer).and_then(|terms| terms.meet(config)) {
                return Ok(Some(terms.agree(config)));
            }
        }
    }
    if config.required || offered && config.strict {
        return Err(Rejection::new(
            StatusCode::BAD_REQUEST,
            "no offer of permessage-deflate can be accepted",
        ));
    }
    Ok(None)
}

impl Terms {
    /// Returns the response to these parameters as an offer, or `None` to decline.
    fn meet(self, config: &Deflate) -> Option<Self> {
        let server = window_bits(config.server_max_window_bits);
        let client = window_bits(config.client_max_window_bits);
        // zlib does not compress for a window of 256 bytes. (It would silently take 512.)
        if self.server_max_window_bits.is_some_and(|bits| bits < 9) {
            return None;
        }
        let server = server.min(self.server_max_window_bits.unwrap_or(15));
        let said = self.server_max_window_bits.is_some() || server < 15;
        let client = match self.client_max_window_bits {
            // The server cannot tell this client its window. The server can read every window, so
            // only `strict` declines.
            None if client < 15 && config.strict => return None,
            None => None,
            Some(None) => Some(client).filter(|bits| *bits < 15),
            // Includes 8: a client can do what it offers.
            Some(Some(bits)) => Some(bits.min(client)),
        };
        Some(Self {
            server_no_context_takeover: self.server_no_context_takeover
                || config.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover
                || config.client_no_context_takeover,
            server_max_window_bits: said.then_some(server),
            client_max_window_bits: client.map(Some),
        })
    }

    /// Returns the agreement that these parameters mean as a response.
    fn agree(mut self, config: &Deflate) -> Agreement {
        let bits = self.client_max_window_bits.flatten().unwrap_or(15);
        let context = match self.client_no_context_takeover {
            true => None,
            false => Inflater::with_context(bits, config.max_context_memory),
        };
        // There is no memory for the client's context, so the client must not use one.
        self.client_no_context_takeover = context.is_none();
        let bits = self.server_max_window_bits.unwrap_or(15);
        let takeover = !self.server_no_context_takeover;
        Agreement::new(config, &self, bits, takeover, context)
    }
}
