//! Users depend on the facade alone, so it has every public name of core.

use std::collections::BTreeSet;

/// Returns the names that a source file reexports and shows in its documentation.
fn shown(source: &str) -> BTreeSet<&str> {
    let statements = source.split(';').filter_map(|it| it.split_once("pub use "));
    statements
        .filter(|(attributes, _)| !attributes.contains("#[doc(hidden)]"))
        .flat_map(|(_, path)| {
            let names = path.rsplit_once("::").map_or(path, |(_, names)| names);
            names.trim_matches(['{', '}']).split(',')
        })
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn the_facade_has_every_public_name_of_core() {
    let core = shown(include_str!("../../../crossws-core/src/lib.rs"));
    // The prelude repeats some of them.
    let facade = include_str!("../../../src/lib.rs").split("pub mod prelude");
    let facade = shown(facade.take(1).collect::<Vec<_>>()[0]);
    assert!(core.len() > 100 && core.contains("RetainError"), "{core:?}");
    let missing: Vec<_> = core.difference(&facade).collect();
    assert!(missing.is_empty(), "not in src/lib.rs: {missing:?}");
}
