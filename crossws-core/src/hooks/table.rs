//! Every hook, in one place, for the macros that write something for each of them.

/// Calls a macro with `{$context}` and a row for each hook. `$peer` and `$message` are the types of a
/// trait's peers and messages.
///
/// A row has the hook's kind, which is `plain` if it does nothing by default; its name in
/// [`Hooks`](crate::Hooks), in [`DynHooks`](crate::DynHooks) and as a setter; its borrowed arguments and,
/// after `;`, the one that it owns; after `as` what a closure gets instead; and its output.
/// [`loop_hooks`](crate::loop_hooks) repeats the rows of `upgrade`, `timer` and `error`.
#[doc(hidden)]
#[macro_export]
macro_rules! hook_table {
    ($then:path, $peer:ty, $message:ty, $($context:tt)*) => {
        $then! {
            {$($context)*}
            plain start start_dyn on_start(&hub: $crate::Hub)
                as (hub: $crate::Hub) -> $crate::HookResult;
            plain open open_dyn on_open(&peer: $peer)
                as (peer: $peer) -> $crate::HookResult;
            plain message message_dyn on_message(&peer: $peer; message: $message)
                as (peer: $peer, message: $message) -> $crate::HookResult;
            plain drain drain_dyn on_drain(&peer: $peer)
                as (peer: $peer) -> $crate::HookResult;
            plain ping ping_dyn on_ping(&peer: $peer; data: $crate::Bytes)
                as (peer: $peer, data: $crate::Bytes) -> $crate::HookResult;
            plain pong pong_dyn on_pong(&peer: $peer; data: $crate::Bytes)
                as (peer: $peer, data: $crate::Bytes) -> $crate::HookResult;
            plain subscription subscription_dyn on_subscription(&peer: $peer; event: $crate::Subscription)
                as (peer: $peer, event: $crate::Subscription) -> $crate::HookResult;
            plain dropped dropped_dyn on_dropped(&peer: $peer; dropped: $crate::Dropped)
                as (peer: $peer, dropped: $crate::Dropped) -> $crate::HookResult;
            plain timer timer_dyn on_timer(&peer: $peer, &name: str)
                as (peer: $peer, name: String) -> $crate::HookResult;
            plain close close_dyn on_close(&peer: $peer; closed: $crate::Closed)
                as (peer: $peer, closed: $crate::Closed) -> $crate::HookResult;
            upgrade upgrade upgrade_dyn on_upgrade(&request: $crate::UpgradeRequest)
                as (request: $crate::UpgradeRequest) -> Result<$crate::Upgrade, $crate::Rejection>;
            error error error_dyn on_error(&peer: $peer; error: $crate::Error)
                as (peer: $peer, error: $crate::Error) -> $crate::OnError;
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::error::HookKind::*;

    macro_rules! method_names {
        ({} $(
            $kind:ident $hook:ident $hook_dyn:ident $setter:ident
                ($($lent:tt)*) as ($($given:tt)*) -> $output:ty;
        )*) => {
            const METHODS: &[&str] = &[$(stringify!($hook)),*];
        };
    }

    crate::hook_table!(method_names, (), (),);

    #[test]
    fn hook_kinds_have_the_names_of_the_methods() {
        let kinds = [
            Start,
            Open,
            Message,
            Drain,
            Ping,
            Pong,
            Subscription,
            Dropped,
            Timer,
            Close,
            Upgrade,
            Error,
        ];
        let kinds = kinds.map(|kind| kind.to_string());
        assert_eq!(kinds, METHODS);
        let others = [Resolve, Task, OnClose].map(|kind| kind.to_string());
        assert_eq!(others, ["resolve", "task", "on_close"]);
    }
}
