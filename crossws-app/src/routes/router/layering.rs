//! The layers of a router.

use std::sync::Arc;

use crossws_core::{Hooks, MaybeSend, MaybeSync, SharedHooks, wrap};

use crate::auth::authenticate::{Authenticate, AuthenticateFn};
use crate::auth::identity::identity;
use crate::layers::global::Both;
use crate::layers::layer::{Before, BeforeFn, Layer, Wrap};
use crate::layers::reply_errors::reply_errors;
use crate::routes::router::Router;

impl Router {
    /// Adds a layer to all routes of this router, inside the layers that it has.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().layer(behind_proxies(1)).route("/chat", hooks());
    /// ```
    pub fn layer(self, layer: impl Layer) -> Self {
        self.change(|router| {
            router.layers.push(Arc::new(layer));
            Ok(())
        })
    }

    /// Runs a function before the `upgrade` hook of each route: an `async fn(&mut UpgradeRequest)
    /// -> Result<(), E>`. An error refuses the request, with the response that it converts into.
    /// Every hook can read a value that the function [attaches](crossws_core::UpgradeRequest::attach) to the
    /// request.
    pub fn before<F>(self, before: F) -> Self
    where
        F: for<'a> BeforeFn<'a> + MaybeSend + MaybeSync + 'static,
    {
        self.layer(Before(before))
    }

    /// Identifies the client with a function, before the `upgrade` hook of each route. `Some(user)`
    /// admits the client, and every hook reads the user with `peer.attached::<User>()`; `true`
    /// admits it without a user. With `false`, `None` or an error the request is refused with 401,
    /// and the error is logged.
    ///
    /// ```
    /// use crossws_app::{NoToken, RequestExt, Router};
    /// use crossws_core::{UpgradeRequest, hooks};
    ///
    /// struct User(String);
    ///
    /// async fn user(request: &UpgradeRequest) -> Result<Option<User>, NoToken> {
    ///     let token = request.query_token("token")?;
    ///     Ok((token == "good").then(|| User("ann".to_owned())))
    /// }
    ///
    /// let app = Router::new()
    ///     .authenticate(user)
    ///     .route("/private", hooks().on_open(|peer| async move {
    ///         let user = peer.attached::<User>()?;
    ///         peer.send(format!("welcome, {}", user.0))?;
    ///         Ok::<_, crossws_core::BoxError>(())
    ///     }));
    /// ```
    pub fn authenticate<F>(self, authenticate: F) -> Self
    where
        F: for<'a> AuthenticateFn<'a> + MaybeSend + MaybeSync + 'static,
    {
        self.layer(Authenticate(authenticate))
    }

    /// Sets the [identity](crossws_core::Upgrade::identity) of each peer to which an earlier layer
    /// has attached such a value, as [`authenticate`](Self::authenticate) does. A request without
    /// the value gets no identity.
    ///
    /// ```
    /// use crossws_app::{NoToken, Router};
    /// use crossws_core::{Hub, UpgradeRequest, hooks};
    ///
    /// struct User { name: String }
    ///
    /// async fn user(_: &UpgradeRequest) -> Result<Option<User>, NoToken> {
    ///     Ok(Some(User { name: "ann".to_owned() }))
    /// }
    ///
    /// let app = Router::new()
    ///     .authenticate(user)
    ///     .identity(|user: &User| user.name.clone())
    ///     .route("/", hooks());
    ///
    /// fn notify(hub: &Hub) -> Result<usize, crossws_core::PublishError> {
    ///     Ok(hub.identity("ann").send("for all of ann's connections")?.queued)
    /// }
    /// ```
    pub fn identity<T, F, N>(self, name: F) -> Self
    where
        T: MaybeSend + MaybeSync + 'static,
        F: Fn(&T) -> N + MaybeSend + MaybeSync + 'static,
        N: Into<Arc<str>> + 'static,
    {
        self.layer(identity(name))
    }

    /// Adds hooks that run before those of each route, for every event except `error`, which only
    /// the route's hook handles.
    ///
    /// - `upgrade`: the first refusal decides. If both accept, headers, topics and tags add up, and
    ///   the route's namespace, subprotocol, context, identity and id take precedence over the
    ///   global ones.
    /// - An error of a global hook goes to the route's `error` hook, and the route's hook for the
    ///   event does not run. Only `close` always runs both.
    /// - `start` of the global hooks runs once, before those of the routes.
    pub fn global(mut self, hooks: impl Hooks) -> Self {
        let global = SharedHooks::new(hooks);
        self.globals.push(global.clone());
        self.wrap(move |route| {
            let global = global.clone();
            wrap(Both { global, route })
        })
    }

    /// Wraps the hooks of each route in others, once, when the router is built.
    pub fn wrap<F, H>(self, wrap: F) -> Self
    where
        F: Fn(SharedHooks) -> H + MaybeSend + MaybeSync + 'static,
        H: Hooks,
    {
        self.layer(Wrap(wrap))
    }

    /// Tells the clients of each route `{"type":"error","message":TEXT}` when a hook returns an error,
    /// and keeps their connections: see [`reply_errors`](crate::reply_errors()).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let app = Router::new().reply_errors().route("/chat", hooks());
    /// ```
    pub fn reply_errors(mut self) -> Self {
        self.reports_errors = true;
        self.wrap(reply_errors)
    }
}
