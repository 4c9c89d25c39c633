/// Defines the Durable Object class that runs these hooks, for `class_name` in `wrangler.toml`.
///
/// The function creates the hooks together with the object, and again whenever it wakes. It gets
/// the Worker's `Env`. Any [`Resolve`](crossws_core::Resolve) will do, hooks among them. A second
/// function returns options other than the defaults.
///
/// ```
/// # #[derive(Default)] struct Chat;
/// # impl crossws_core::Hooks for Chat {}
/// crossws_worker::durable_object! { pub struct ChatRoom => Chat = |_env| Chat::default(); }
/// crossws_worker::durable_object! {
///     pub struct QuietRoom => Chat = |_env| Chat::default();
///     options = |_env| crossws_worker::Options::new().auto_response("ping", "pong");
/// }
/// ```
///
/// The expansion names the crate `worker`, which every Worker depends on for `#[event]`.
#[macro_export]
macro_rules! durable_object {
    ($(#[$meta:meta])* $vis:vis struct $name:ident => $hooks:ty = $make:expr $(;)?) => {
        $crate::durable_object! {
            $(#[$meta])* $vis struct $name => $hooks = $make;
            options = |_: &$crate::worker::Env| $crate::Options::default();
        }
    };
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident => $hooks:ty = $make:expr;
        options = $options:expr $(;)?
    ) => {
        const _: () = {
            // The attribute's expansion names `wasm_bindgen` unqualified.
            #[allow(unused_imports)]
            use ::worker::wasm_bindgen;

            $(#[$meta])*
            #[::worker::durable_object]
            $vis struct $name {
                durable: $crate::Durable<$hooks>,
            }

            impl ::worker::DurableObject for $name {
                fn new(state: ::worker::State, env: ::worker::Env) -> Self {
                    let make: fn(&::worker::Env) -> $hooks = $make;
                    let options: fn(&::worker::Env) -> $crate::Options = $options;
                    let durable = $crate::Durable::new(state, make(&env), &options(&env));
                    Self { durable }
                }

                async fn fetch(
                    &self,
                    request: ::worker::Request,
                ) -> ::worker::Result<::worker::Response> {
                    self.durable.fetch(request).await
                }

                async fn alarm(&self) -> ::worker::Result<::worker::Response> {
                    self.durable.alarm().await
                }

                async fn connect(&self, _: ::worker::Socket) -> ::worker::Result<()> {
                    ::core::result::Result::Err(::worker::Error::RustError(
                        ::std::string::String::from("this object takes no TCP connections"),
                    ))
                }

                async fn websocket_message(
                    &self,
                    socket: ::worker::WebSocket,
                    message: ::worker::WebSocketIncomingMessage,
                ) -> ::worker::Result<()> {
                    self.durable.websocket_message(socket, message).await
                }

                async fn websocket_close(
                    &self,
                    socket: ::worker::WebSocket,
                    code: usize,
                    reason: ::std::string::String,
                    clean: bool,
                ) -> ::worker::Result<()> {
                    self.durable.websocket_close(socket, code, reason, clean).await
                }

                async fn websocket_error(
                    &self,
                    socket: ::worker::WebSocket,
                    error: ::worker::Error,
                ) -> ::worker::Result<()> {
                    self.durable.websocket_error(socket, error).await
                }
            }
        };
    };
}
