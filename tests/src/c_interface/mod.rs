//! The generated parts of the C interface: what `openwa_store::face` describes, as Rust functions for C, and the header.
//!
//! Generators live here and not in `ffi/`, so that they run even when what they generated no longer compiles.

mod codes;
mod columns;
mod header;
mod nothing;
mod reference;
mod verbs;

use std::path::{Path, PathBuf};

/// A generated file: where it is, and what should be in it.
pub struct Generated {
    /// From the root of the repository.
    pub path: &'static str,
    /// Its content.
    pub content: String,
}

/// Every generated source file of `ffi/`.
#[must_use]
pub fn sources() -> Vec<Generated> {
    vec![codes::file(), columns::file(), verbs::file()]
}

/// The header, as it follows from the sources of `ffi/`, what the C tests include, and the reference of records.
#[must_use]
pub fn others() -> Vec<Generated> {
    vec![header::file(), nothing::file(), reference::file()]
}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The documentation of the library in the words of C.
fn prose(doc: &str) -> String {
    let mut text = openwa_store::face::prose(doc).replace("`None`", "NULL");
    for kind in openwa_store::Kind::ALL {
        text = text.replace(&format!("`{kind:?}`"), &format!("`OPENWA_ERR_{}`", kind.name()));
    }
    text
}

/// A name with its article.
fn a(name: &str) -> String {
    let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} `{name}`")
}

/// A text as the lines of a documentation comment, at most a line's length each.
fn comment(text: &str) -> String {
    let mut out = String::new();
    for (i, paragraph) in text.split("\n\n").enumerate() {
        if i > 0 {
            out.push_str("///\n");
        }
        for item in items(paragraph) {
            wrap(&mut out, if item.starts_with("- ") { "  " } else { "" }, &item);
        }
    }
    out
}

/// A paragraph's lines as one text, but for the items of a list.
fn items(paragraph: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in paragraph.lines() {
        match items.last_mut() {
            Some(last) if !line.starts_with("- ") => {
                last.push(' ');
                last.push_str(line);
            }
            _ => items.push(line.to_owned()),
        }
    }
    items
}

/// One paragraph or list item, with the lines behind its first one moved in.
fn wrap(out: &mut String, indent: &str, paragraph: &str) {
    let mut line = String::new();
    for word in paragraph.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 110 {
            out.push_str(&format!("/// {line}\n"));
            line = indent.to_owned();
        }
        if !line.trim().is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&format!("/// {line}\n"));
}
