//! Text and bytes that cross the border.

use std::ffi::{CString, c_char};

use ::openwa_store::face::Lazy;
use ::openwa_store::{Error, Kind, Result};

use crate::guard::{Output, quiet};

/// A piece of UTF-8 text: a pointer and a length in bytes. It need not end with a NUL. `ptr` NULL: no text at all.
///
/// Text that goes in is copied before the function returns. Text that comes out belongs to the handle it came from and
/// stays valid until that is freed, changed or stepped. It may hold U+0000. Half of a UTF-16 surrogate pair, which a
/// JavaScript host may have stored, comes out as U+FFFD.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct openwa_str {
    /// The first byte.
    pub ptr: *const c_char,
    /// How many bytes.
    pub len: usize,
}

/// A piece of memory: a pointer and a length in bytes. `ptr` NULL: none at all. Owned like text.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct openwa_bytes {
    /// The first byte.
    pub ptr: *const u8,
    /// How many bytes.
    pub len: usize,
}

impl openwa_str {
    /// No text.
    pub(crate) const NONE: Self = openwa_str { ptr: std::ptr::null(), len: 0 };

    pub(crate) fn of(text: &str) -> Self {
        openwa_str { ptr: text.as_ptr().cast(), len: text.len() }
    }

    /// The text; `None` when there is none.
    ///
    /// # Errors
    /// `InvalidArgument` naming the argument for what is no UTF-8, or has a length and no pointer.
    pub(crate) unsafe fn read<'a>(self, argument: &'static str) -> Result<Option<&'a str>> {
        let bytes = openwa_bytes { ptr: self.ptr.cast(), len: self.len };
        let bytes = unsafe { bytes.read(argument) }?;
        let Some(bytes) = bytes else { return Ok(None) };
        let not_utf8 = |e: std::str::Utf8Error| {
            Error::invalid(argument, format!("{argument} is not UTF-8 at byte {}", e.valid_up_to()))
        };
        std::str::from_utf8(bytes).map(Some).map_err(not_utf8)
    }
}

impl Output for openwa_str {
    const NOTHING: Self = Self::NONE;
}

impl Output for openwa_bytes {
    const NOTHING: Self = Self::NONE;
}

impl openwa_bytes {
    /// No bytes.
    pub(crate) const NONE: openwa_bytes = openwa_bytes { ptr: std::ptr::null(), len: 0 };

    pub(crate) fn of(bytes: &[u8]) -> Self {
        openwa_bytes { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes; `None` when there are none.
    ///
    /// # Errors
    /// `InvalidArgument` naming the argument when there is a length and no pointer.
    pub(crate) unsafe fn read<'a>(self, argument: &'static str) -> Result<Option<&'a [u8]>> {
        if self.ptr.is_null() {
            if self.len > 0 {
                return Err(Error::invalid(argument, format!("{argument} has a length and no pointer")));
            }
            return Ok(None);
        }
        if isize::try_from(self.len).is_err() {
            return Err(Error::invalid(argument, format!("{argument} is longer than the memory")));
        }
        Ok(Some(unsafe { std::slice::from_raw_parts(self.ptr, self.len) }))
    }
}

/// A name that C gives as a NUL-terminated string, such as a column's.
pub(crate) unsafe fn name<'a>(given: *const c_char, argument: &'static str) -> Result<&'a str> {
    if given.is_null() {
        return Err(Error::invalid(argument, format!("{argument} is NULL")));
    }
    let name = unsafe { std::ffi::CStr::from_ptr(given) };
    name.to_str().map_err(|_| Error::invalid(argument, format!("{argument} is not UTF-8")))
}

/// A name of a closed list as a C string that lives as long as the program.
pub(crate) fn static_name(name: &str) -> *const c_char {
    static NAMES: Lazy<Vec<CString>> = Lazy::new(|| {
        let lists = ::openwa_store::face::enums();
        let mut names: Vec<_> =
            lists.iter().flat_map(|list| list.values).map(|name| c_string(name)).collect();
        names.sort_unstable();
        names
    });
    let found = NAMES.binary_search_by(|known| known.as_bytes().cmp(name.as_bytes()));
    found.map_or(std::ptr::null(), |i| NAMES[i].as_ptr())
}

/// A NUL-terminated copy; a NUL inside would cut it, so it is shown as U+2400.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text).or_else(|_| CString::new(text.replace('\0', "\u{2400}"))).unwrap_or_default()
}

/// Gives C a text of its own.
///
/// # Errors
/// `Unsupported` for U+0000, which a C string cannot hold; only an address that never was one has it.
pub(crate) fn give(text: &str) -> Result<*mut c_char> {
    let has_nul = |_| Error::new(Kind::Unsupported, "the text has U+0000, which a C string cannot hold");
    CString::new(text).map(CString::into_raw).map_err(has_nul)
}

/// Frees a text that a function gave as `char *`. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_string_free(text: *mut c_char) {
    if !text.is_null() {
        quiet((), || drop(unsafe { CString::from_raw(text) }));
    }
}
