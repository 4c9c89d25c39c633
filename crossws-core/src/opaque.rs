/// Implements `Debug` for types whose contents are not shown: the name, and the parts that are listed by name, or
/// one in parentheses.
#[doc(hidden)]
#[macro_export]
macro_rules! opaque_debug {
    ($type:ident $(<$($generic:ident),*>)?) => {
        impl $(<$($generic),*>)? std::fmt::Debug for $type $(<$($generic),*>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(..)"))
            }
        }
    };
    (
        $(#[$doc:meta])* [$($generics:tt)*] $type:ident $(<$($argument:tt),+>)?,
        $this:ident => $($part:ident: $value:expr),+ $(,)?
    ) => {
        $(#[$doc])*
        impl<$($generics)*> std::fmt::Debug for $type $(<$($argument),+>)? {
            fn fmt(&$this, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type))
                    $(.field(stringify!($part), &$value))+
                    .finish_non_exhaustive()
            }
        }
    };
    (
        $(#[$doc:meta])* [$($generics:tt)*] $type:ident $(<$($argument:tt),+>)?,
        $this:ident => ($value:expr)
    ) => {
        $(#[$doc])*
        impl<$($generics)*> std::fmt::Debug for $type $(<$($argument),+>)? {
            fn fmt(&$this, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($type)).field(&$value).finish()
            }
        }
    };
}
