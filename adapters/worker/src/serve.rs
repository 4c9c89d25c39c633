/// Defines a whole Worker for an app: the Durable Object class, with one object for each namespace, and
/// the `fetch` handler that passes clients to them.
///
/// The expression is any [`Resolve`](crossws_core::Resolve), such as a router or hooks. It is evaluated for
/// each request, and in each object when it is created or wakes. In `wrangler.toml`, the class and its
/// binding both have the name that is given here.
///
/// ```
/// # #[derive(Default)] struct Chat;
/// # impl crossws_core::Hooks for Chat {}
/// crossws_worker::serve! { pub struct Rooms => Chat::default() }
/// # fn main() {}
/// ```
///
/// A request that the app does not claim gets 404. A Worker that has pages too, options, or another
/// [`Shard`](crate::Shard) consists of [`durable_object!`](crate::durable_object) and
/// [`Objects`](crate::Objects).
///
/// The expansion names the crate `worker`, and defines the function `fetch`.
#[macro_export]
macro_rules! serve {
    ($(#[$meta:meta])* $vis:vis struct $name:ident => $app:expr $(;)?) => {
        $crate::durable_object! {
            $(#[$meta])* $vis struct $name => $crate::SharedResolver
                = |_env| $crate::SharedResolver::new($app);
        }

        #[::worker::event(fetch)]
        async fn fetch(
            request: ::worker::Request,
            env: ::worker::Env,
            _: ::worker::Context,
        ) -> ::worker::Result<::worker::Response> {
            let objects = $crate::Objects::new(&env, ::core::stringify!($name))?;
            match objects.upgrade(request, $app).await? {
                $crate::Upgraded::Answered(response) => ::core::result::Result::Ok(response),
                $crate::Upgraded::NotHandled(_) => ::worker::Response::error("not found", 404),
            }
        }
    };
}
