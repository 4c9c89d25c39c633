//! The client's side of the negotiation: its offer, and the check of the server's response (RFC
//! 7692 section 7.1).

use crossws_core::Deflate;

use super::terms::Terms;
use super::{Agreement, NAME, parse};
use crate::deflate::{Inflater, window_bits};
use crate::handshake::answer_error::AnswerError;

#[cfg(test)]
mod tests;

/// A client's offer.
#[derive(Debug)]
pub(crate) struct Offer {
    config: Deflate,
    terms: Terms,
    /// Reserved before the offer is sent: if the server accepts context takeover, the client cannot
    /// refuse it any more.
    context: Option<Inflater>,
}

impl Offer {
    /// Creates the offer that a configuration asks for. If there is no memory for the server's
    /// context, the offer asks the server for none.
    pub(crate) fn new(config: &Deflate) -> Self {
        let bits = config.server_max_window_bits;
        let context = match config.server_no_context_takeover {
            true => None,
            false => Inflater::with_context(bits, config.max_context_memory),
        };
        let below_15 = |bits| Some(window_bits(bits)).filter(|bits| *bits < 15);
        Self {
            config: *config,
            terms: Terms {
                server_no_context_takeover: context.is_none(),
                client_no_context_takeover: config.client_no_context_takeover,
                server_max_window_bits: below_15(config.server_max_window_bits),
                client_max_window_bits: Some(below_15(config.client_max_window_bits)),
            },
            context,
        }
    }

    /// Returns the header's value.
    pub(crate) fn header(&self) -> String {
        self.terms.to_string()
    }

    /// Evaluates the response's header lines. Returns `None` if the server declined.
    ///
    /// # Errors
    /// A response that does not match this offer.
    pub(crate) fn answered<'a>(
        self,
        headers: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Agreement>, AnswerError> {
        let mut answer = None;
        for header in headers {
            for extension in parse(header)? {
                let terms = Terms::of(&extension).filter(|terms| self.terms.allow(terms));
                if extension.name != NAME || answer.is_some() {
                    return Err(AnswerError::Extension);
                }
                answer = Some(terms.ok_or(AnswerError::Parameters)?);
            }
        }
        match answer {
            Some(terms) => Ok(Some(self.agree(terms))),
            None if self.config.strict || self.config.required => Err(AnswerError::Declined),
            None => Ok(None),
        }
    }

    /// Returns the agreement that the response's parameters mean.
    fn agree(self, terms: Terms) -> Agreement {
        let config = &self.config;
        let context = self.context.filter(|_| !terms.server_no_context_takeover);
        let own = window_bits(config.client_max_window_bits);
        let told = terms.client_max_window_bits.flatten();
        let takeover = !config.client_no_context_takeover && !terms.client_no_context_takeover;
        let bits = told.map_or(own, |told| told.min(own));
        Agreement::new(config, &terms, bits, takeover, context)
    }
}

impl Terms {
    /// Returns whether a server may respond to this offer with `answer`. A client's own restraint
    /// (its context, its window) is a hint, which the server need not repeat. The server must
    /// repeat what the client asks of it.
    fn allow(&self, answer: &Self) -> bool {
        let server_forgets = answer.server_no_context_takeover || !self.server_no_context_takeover;
        let server_window = match (self.server_max_window_bits, answer.server_max_window_bits) {
            (Some(asked), Some(bits)) => bits <= asked,
            (Some(_), None) => false,
            (None, _) => true,
        };
        // Only an offer may have the parameter without a value.
        let has_value = answer.client_max_window_bits != Some(None);
        server_forgets && server_window && has_value
    }
}
