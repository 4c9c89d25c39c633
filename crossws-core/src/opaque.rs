/// Implements `Debug` for types whose contents are not shown.
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
}
