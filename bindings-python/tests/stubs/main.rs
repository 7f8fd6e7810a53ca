//! The stubs of the Python package, generated from the library's description of itself and compared with what is
//! committed. `BLESS=1 cargo test -p openwa-store-python` writes them.

// A test may panic: that is how it fails.
#![allow(clippy::unwrap_used)]

#[path = "../../src/surface.rs"]
mod surface;

mod modules;
mod write;

use std::path::Path;

#[test]
fn the_stubs_are_what_the_library_is() {
    for (name, text) in
        [("__init__.pyi", modules::package()), ("aio.pyi", modules::aio()), ("policy.pyi", modules::policy())]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/openwa_store").join(name);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{name} is not up to date: BLESS=1 cargo test -p openwa-store-python");
    }
}

#[test]
fn no_two_things_have_one_name() {
    let mut names = modules::names_of_package();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
    for group in surface::groups().keys().filter(|g| **g != "store") {
        assert!(
            !surface::group_doc(group).is_empty(),
            "{group} says nothing about itself: surface::group_doc"
        );
    }
    for verb in openwa_store::face::VERBS {
        let mut params: Vec<String> = surface::params(verb).into_iter().map(|p| p.name).collect();
        let all = params.len();
        params.sort();
        params.dedup();
        assert_eq!(params.len(), all, "{verb:?}: {params:?}");
        assert!(!params.iter().any(|p| p == "progress" || p == "self"), "{verb:?}");
    }
}
