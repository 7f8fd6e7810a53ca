//! The C interface follows from the description of the library: sources and header are generated, committed and
//! compared here. `BLESS=1` renews them.

use openwa_tests::c_interface::{Generated, others, root, sources};

fn compare(Generated { path, content }: &Generated) {
    let file = root().join(path);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, content).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
    let found = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert!(
        found == *content,
        "{path} is out of date; BLESS=1 cargo test -p openwa-tests --test c_interface renews it"
    );
}

#[test]
fn sources_and_header_are_what_the_library_describes() {
    // The header is made from the sources, so they come first.
    for generated in sources() {
        compare(&formatted(&generated));
    }
    others().iter().for_each(compare);
}

/// As `cargo fmt` would write it.
fn formatted(generated: &Generated) -> Generated {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let config = root().join("rustfmt.toml");
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt");
    rustfmt.stdin.take().expect("a pipe").write_all(generated.content.as_bytes()).expect("rustfmt reads");
    let output = rustfmt.wait_with_output().expect("rustfmt ends");
    assert!(output.status.success(), "{} is no Rust", generated.path);
    Generated { path: generated.path, content: String::from_utf8(output.stdout).expect("UTF-8") }
}
