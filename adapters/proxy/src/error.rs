use std::sync::Arc;

use crossws_client::{ConnectError, Disconnected};
use crossws_core::{CloseCode, CloseFrame, Rejection};
use http::StatusCode;
use http::header::RETRY_AFTER;

/// Why a client was not connected to an upstream: see [`Ended`](crate::Ended). What the client itself
/// gets says less.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The target's host is not in the list that [`Proxy::allow_hosts`](crate::Proxy::allow_hosts) sets.
    #[error("the host {0:?} is not one that the proxy may connect to")]
    HostNotAllowed(String),
    /// The request's `Via` names this proxy: its target leads back to it.
    #[error("the request has passed this proxy before")]
    Loop,
    /// The request's `Via` names more proxies than this.
    #[error("the request has passed more than {0} proxies")]
    TooManyHops(usize),
    /// The target's function refused the client with this status.
    #[error("the target's function refused the client with {0}")]
    TargetRefused(StatusCode),
    /// The upstream could not be connected to, or refused the handshake.
    #[error("the upstream is not connected: {0}")]
    NotConnected(#[source] Arc<Disconnected>),
}

impl ProxyError {
    fn connect(&self) -> Option<&ConnectError> {
        match self {
            Self::NotConnected(end) => match &**end {
                Disconnected::Failed(error) => Some(error),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the status of the refusal: 403 for a host or an address that is not allowed, 508 for a
    /// loop, 504 for an upstream that did not answer in time, 500 for a URL or a header that cannot be
    /// used, and 502 for every other failure of the upstream.
    pub fn status(&self) -> StatusCode {
        match (self, self.connect()) {
            (Self::HostNotAllowed(_), _) | (_, Some(ConnectError::Forbidden)) => {
                StatusCode::FORBIDDEN
            }
            (Self::Loop | Self::TooManyHops(_), _) => StatusCode::LOOP_DETECTED,
            (Self::TargetRefused(status), _) => *status,
            (_, Some(ConnectError::Timeout(_))) => StatusCode::GATEWAY_TIMEOUT,
            (_, Some(ConnectError::Refused(response)))
                if response.status() == StatusCode::LOOP_DETECTED =>
            {
                StatusCode::LOOP_DETECTED
            }
            (
                _,
                Some(
                    ConnectError::Url(_)
                    | ConnectError::Header(_)
                    | ConnectError::Provider { .. }
                    | ConnectError::Unsupported(_),
                ),
            ) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_GATEWAY,
        }
    }

    /// Returns what the client is told: neither hosts nor addresses.
    fn text(&self) -> String {
        match (self.status(), self.connect()) {
            (StatusCode::FORBIDDEN, _) => "the target is not allowed".to_owned(),
            (StatusCode::LOOP_DETECTED, _) => "the target leads back to the proxy".to_owned(),
            (StatusCode::GATEWAY_TIMEOUT, _) => "the upstream did not answer in time".to_owned(),
            (_, Some(ConnectError::Refused(response))) => {
                format!("the upstream answered {}", response.status().as_u16())
            }
            (StatusCode::BAD_GATEWAY, _) => "the upstream cannot be reached".to_owned(),
            _ => "internal server error".to_owned(),
        }
    }

    /// Returns the refusal before the upgrade. It keeps the upstream's `Retry-After`.
    pub(crate) fn rejection(self: &Arc<Self>) -> Rejection {
        let mut rejection =
            Rejection::new(self.status(), self.text()).with_source(Arc::clone(self));
        if let Some(ConnectError::Refused(response)) = self.connect()
            && let Some(retry) = response.headers().get(RETRY_AFTER)
        {
            let headers = rejection.response_mut().headers_mut();
            headers.insert(RETRY_AFTER, retry.clone());
        }
        rejection
    }

    /// Returns the close frame after the upgrade: 1008 for what is not allowed, otherwise `failed`.
    pub(crate) fn frame(&self, failed: CloseCode) -> CloseFrame {
        let code = match self.status() {
            StatusCode::FORBIDDEN => CloseCode::POLICY,
            _ => failed,
        };
        CloseFrame::new(code, self.text())
    }
}
