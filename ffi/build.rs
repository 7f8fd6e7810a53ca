//! The name under which the shared library is found at run time: it has the major version of the ABI and nothing else.

fn main() {
    println!("cargo::rerun-if-changed=src/version.rs");
    let source = std::fs::read_to_string("src/version.rs").unwrap_or_default();
    let abi = source
        .split("OPENWA_ABI_VERSION: i32 = ")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .unwrap_or_else(|| panic!("src/version.rs has no OPENWA_ABI_VERSION"));
    match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libopenwa.{abi}.dylib");
        }
        Ok("windows") => {}
        _ => println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libopenwa.so.{abi}"),
    }
}
