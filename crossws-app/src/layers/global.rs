use crossws_core::{
    Closed, HookResult, Hooks, Hub, Message, Peer, Rejection, SharedHooks, Upgrade, UpgradeRequest,
    Wrap, hook_table,
};

/// The hooks of a route after global ones: see [`Router::global`](crate::Router::global).
pub(crate) struct Both {
    pub(crate) global: SharedHooks,
    pub(crate) route: SharedHooks,
}

/// The hooks that run the global one, then the route's.
macro_rules! both_hooks {
    ({} $($kind:ident $name:ident $name_dyn:ident $setter:ident $arguments:tt as $given:tt -> $output:ty;)*) => {
        $(both_hooks!(@ $name $arguments $output);)*
    };
    (@ start $($row:tt)*) => {};
    (@ upgrade $($row:tt)*) => {};
    (@ close $($row:tt)*) => {};
    (@ error $($row:tt)*) => {};
    (@ $name:ident ($(&$lent:ident: $lent_type:ty),+ $(; $own:ident: $own_type:ty)?) $output:ty) => {
        async fn $name(&self, $($lent: &$lent_type,)+ $($own: $own_type)?) -> $output {
            self.global.$name($($lent,)+ $($own.clone())?).await?;
            self.route.$name($($lent,)+ $($own)?).await
        }
    };
}

/// The route alone runs the `error` hook: an error has one answer.
impl Wrap for Both {
    type Inner = SharedHooks;

    fn inner(&self) -> &SharedHooks {
        &self.route
    }

    /// The router starts the global hooks, once for all routes.
    async fn start(&self, hub: &Hub) -> HookResult {
        self.route.start(hub).await
    }

    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let outer = self.global.upgrade(request).await?;
        if outer.is_pass() {
            return Ok(outer);
        }
        Ok(self.route.upgrade(request).await?.inherit(outer))
    }

    /// Both clean up, even if the first fails.
    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        let global = self.global.close(peer, closed.clone()).await;
        let route = self.route.close(peer, closed).await;
        global.and(route)
    }
    hook_table!(both_hooks, Peer, Message,);
}
