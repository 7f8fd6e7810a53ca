//! Link settings of a Node addon.

fn main() {
    napi_build::setup();
    // Node unloads an addon when the last worker thread that used it ends; the store's own threads may still be
    // on their way out of its code then.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
