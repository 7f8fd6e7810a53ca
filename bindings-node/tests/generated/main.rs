//! `ts/generated` is what the library's own description says. `BLESS=1 cargo test -p openwa-node` writes it again.

// A test may panic: that is how it fails.
#![allow(clippy::unwrap_used)]

mod codec;
mod groups;
mod names;
mod types;

use std::path::Path;

const HEAD: &str =
    "// Generated from the library's description by `BLESS=1 cargo test -p openwa-node`. Do not edit.\n";

#[test]
fn typescript_is_what_the_library_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ts/generated");
    let files =
        [("types.ts", types::render()), ("codec.ts", codec::render()), ("groups.ts", groups::render())];
    let mut stale = Vec::new();
    for (name, text) in files {
        let (path, text) = (folder.join(name), format!("{HEAD}{text}"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "{stale:?} are not what the library says; run BLESS=1 cargo test -p openwa-node"
    );
}
