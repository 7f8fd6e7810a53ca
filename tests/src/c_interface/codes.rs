use openwa_store::Kind;

use super::Generated;

/// The documentation of each kind, which is what `kinds!` in `error.rs` says.
fn documented() -> Vec<(String, String)> {
    let source = std::fs::read_to_string(super::root().join("openwa-store/src/error.rs")).expect("error.rs");
    let table =
        source.split("\nkinds! {\n").nth(1).and_then(|rest| rest.split("\n}\n").next()).expect("kinds!");
    let (mut out, mut doc) = (Vec::new(), Vec::new());
    for line in table.lines().map(str::trim) {
        match line.strip_prefix("/// ") {
            Some(text) => doc.push(text),
            None => {
                let name = line.split(" = ").next().unwrap_or_default();
                out.push((name.to_owned(), std::mem::take(&mut doc).join(" ")));
            }
        }
    }
    out
}

pub(super) fn file() -> Generated {
    let mut content = String::from(
        "//! The numbers of errors. Generated from the library's kinds; `BLESS=1 cargo test -p openwa-tests --test\n\
         //! c_interface` renews it. A retired number is never used again.\n\n\
         /// Success.\npub const OPENWA_OK: i32 = 0;\n",
    );
    let docs = documented();
    for kind in Kind::ALL {
        let (_, doc) = docs.iter().find(|(name, _)| *name == format!("{kind:?}")).expect("a documented kind");
        content.push_str(&super::comment(doc));
        content.push_str(&format!("pub const OPENWA_ERR_{}: i32 = {};\n", kind.name(), kind.code()));
    }
    Generated { path: "ffi/src/codes.rs", content }
}
