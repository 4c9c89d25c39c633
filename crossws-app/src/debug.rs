/// Implements `Debug` for a type with hooks or functions in it, which have none: its name, and the parts
/// that are listed.
macro_rules! debug {
    ([$($generics:tt)*] $name:ident $(<$($argument:tt),+>)?) => {
        crate::debug::debug!([$($generics)*] $name $(<$($argument),+>)?, self =>);
    };
    (
        [$($generics:tt)*] $name:ident $(<$($argument:tt),+>)?,
        $this:ident => $($part:ident: $value:expr),* $(,)?
    ) => {
        impl<$($generics)*> std::fmt::Debug for $name $(<$($argument),+>)? {
            fn fmt(&$this, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($part), &$value))*
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use debug;
