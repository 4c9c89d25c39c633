use std::sync::Arc;
use std::time::Duration;

use crossws_app::calls::WireForm;
use crossws_core::adapter::{Function, is_token};
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};

use crate::client::ClientHandle;
use crate::connect::dial::{ConnectionSettings, Dial, Target};
use crate::connect::options::TokenIn;
use crate::error::ConnectError;
use crate::provider::Provider;
use crate::reconnect::Reconnect;

/// The settings of a client's connections.
pub(crate) struct Config {
    pub(super) url: Box<dyn Provider>,
    pub(super) token: Option<(Box<dyn Provider>, TokenIn)>,
    pub(super) protocols: Vec<String>,
    pub(super) headers: HeaderMap,
    pub(super) connection: Arc<ConnectionSettings>,
    pub(crate) reconnect: Option<Reconnect>,
    pub(crate) connect_timeout: Duration,
    pub(crate) form: WireForm,
    pub(crate) on_open: Option<Box<dyn Function<ClientHandle, ()>>>,
}

impl Config {
    /// Asks the providers for what the next try needs.
    pub(crate) async fn dial(&self) -> Result<Dial, ConnectError> {
        let failed = |what| move |source| ConnectError::Provider { what, source };
        let url = self.url.provide().await.map_err(failed("URL"))?;
        let url = url.ok_or(ConnectError::Url("the provider returned none"))?;
        let mut dial = Dial {
            target: Target::parse(&url)?,
            protocols: self.protocols.clone(),
            headers: self.headers.clone(),
            settings: Arc::clone(&self.connection),
        };
        if let Some((token, place)) = &self.token
            && let Some(token) = token.provide().await.map_err(failed("token"))?
        {
            place.put(&token, &mut dial)?;
        }
        Ok(dial)
    }
}

impl TokenIn {
    fn put(&self, token: &str, dial: &mut Dial) -> Result<(), ConnectError> {
        match self {
            Self::Authorization => {
                let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                    .map_err(|_| ConnectError::Header("the token".to_owned()))?;
                value.set_sensitive(true);
                dial.headers.insert(AUTHORIZATION, value);
            }
            Self::Query(name) => dial.target.add_query(name, token),
            Self::Protocol(marker) => {
                if !is_token(token) {
                    return Err(ConnectError::Header(
                        "the token as a subprotocol".to_owned(),
                    ));
                }
                dial.protocols.extend([marker.clone(), token.to_owned()]);
            }
        }
        Ok(())
    }
}
