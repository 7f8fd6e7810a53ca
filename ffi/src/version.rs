//! The version of the library and of its binary interface.

use std::ffi::{CStr, c_char};

/// The version of the binary interface. Functions are only ever added under one number; the shared library's SONAME
/// carries it.
pub const OPENWA_ABI_VERSION: i32 = 1;

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(text) => text,
    Err(_) => panic!("a version has no NUL"),
};

const fn number(text: &str) -> i32 {
    let bytes = text.as_bytes();
    let (mut n, mut i) = (0, 0);
    while i < bytes.len() {
        n = n * 10 + (bytes[i] - b'0') as i32;
        i += 1;
    }
    n
}

/// The version of the library that is linked, for instance `"3.16.2"`; compare it with `OPENWA_VERSION`. Static.
#[unsafe(no_mangle)]
pub extern "C" fn openwa_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The same as a number: major × 1,000,000 + minor × 1,000 + patch; compare it with `OPENWA_VERSION_NUMBER`.
#[unsafe(no_mangle)]
pub extern "C" fn openwa_version_number() -> i32 {
    number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
        + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
        + number(env!("CARGO_PKG_VERSION_PATCH"))
}

/// The version of the binary interface that is linked; compare it with `OPENWA_ABI_VERSION`.
#[unsafe(no_mangle)]
pub extern "C" fn openwa_abi_version() -> i32 {
    OPENWA_ABI_VERSION
}

/// Panics, so that the C tests can prove that a panic ends as `OPENWA_ERR_INTERNAL`. Only in builds for tests.
#[cfg(feature = "test-hooks")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_test_panic(err: *mut *mut crate::openwa_error) -> i32 {
    unsafe { crate::guard::guard(err, || panic!("a deliberate panic")) }
}
