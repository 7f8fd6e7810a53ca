//! The operating system as SQLite sees it (a VFS), with two additions to SQLite's own.
//!
//! **A failed sync of the database file takes the checkpoint's mark back.** A checkpoint copies pages from the write-ahead
//! log into the database file and moves a mark, `nBackfill`, past the frames that it copied. SQLite syncs the database file
//! only in the checkpoint that catches up with the log; one that does not, because somebody writes meanwhile, moves the mark
//! without a sync. If the sync that comes later fails, the kernel has given up pages of *all* checkpoints since the last
//! sync, but SQLite repeats only the last one, reports success, and lets the log start over: the pages are lost. So here a
//! failed sync sets the mark to 0, while the lock of the checkpoint is still held: the next checkpoint, of whichever
//! process, copies the whole log again. The log cannot have started over before, because it does so only when the mark has
//! caught up, which takes a successful sync.
//!
//! **The errno of the last failed call is kept**, for the thread that made it: result codes do not tell a full disk from a
//! dying one.

#![allow(unsafe_code, reason = "SQLite's interface for this is one of C functions and pointers")]

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::ffi::{
    self, SQLITE_FCNTL_LAST_ERRNO, SQLITE_OK, sqlite3_file, sqlite3_io_methods, sqlite3_vfs,
};

use crate::error::{Error, Kind, Result};

/// The name under which it is registered.
const NAME: &CStr = c"openwa";
/// Where `nBackfill` is in the first region of the shared index of the log, after two copies of its header of 48 bytes
/// (section 2.2 of SQLite's description of the WAL-index format, <https://sqlite.org/walformat.html>).
const BACKFILL_OFFSET: usize = 96;

thread_local! {
    static ERRNO: Cell<i32> = const { Cell::new(0) };
}

/// The errno of this thread's last failed call since this was asked.
pub(super) fn take_errno() -> Option<i32> {
    Some(ERRNO.take()).filter(|n| *n != 0)
}

/// The name of the VFS, which is registered on the first call.
pub(crate) fn name() -> Result<&'static CStr> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    if *REGISTERED.get_or_init(register) {
        return Ok(NAME);
    }
    Err(Error::new(Kind::Internal, "SQLite does not take this library's way to the operating system"))
}

fn register() -> bool {
    // SAFETY: SQLite's default VFS lives as long as the process, and so does the leaked copy, which differs from it only in
    // how a file is opened and how large it is.
    unsafe {
        if ffi::sqlite3_initialize() != SQLITE_OK {
            return false;
        }
        let system = ffi::sqlite3_vfs_find(ptr::null());
        if system.is_null() {
            return false;
        }
        let ours = Vfs {
            base: sqlite3_vfs {
                szOsFile: (*system).szOsFile + size_of::<File>() as c_int,
                pNext: ptr::null_mut(),
                zName: NAME.as_ptr(),
                xOpen: Some(open),
                ..*system
            },
            system,
        };
        ffi::sqlite3_vfs_register(ptr::from_mut(Box::leak(Box::new(ours))).cast(), 0) == SQLITE_OK
    }
}

#[repr(C)]
struct Vfs {
    base: sqlite3_vfs,
    system: *mut sqlite3_vfs,
}

/// A file as SQLite holds it. The system's own follows it in memory.
#[repr(C)]
struct File {
    base: sqlite3_file,
    /// The first region of the shared index of the log, once it is mapped.
    index: *mut c_void,
}

/// The system's own file behind ours.
///
/// # Safety
/// `file` is one that [`open`] has made.
unsafe fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: SQLite allocates `szOsFile` bytes, which are ours and the system's.
    unsafe { file.cast::<File>().add(1).cast() }
}

/// Remembers why a call failed. A lock that is held and the end of a file are no failures.
fn noted(code: c_int, errno: impl FnOnce() -> i32) -> c_int {
    let failed = matches!(
        code & 0xff,
        ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN | ffi::SQLITE_FULL | ffi::SQLITE_READONLY | ffi::SQLITE_PERM
    );
    if failed && code != ffi::SQLITE_IOERR_SHORT_READ {
        ERRNO.set(errno());
    }
    code
}

/// What a test has decided that a call comes to: a result code and an errno.
#[cfg(not(test))]
const fn instead(_: *mut sqlite3_file, _: &'static str) -> Option<(c_int, i32)> {
    None
}

#[cfg(test)]
use tests::instead;

fn last_os_error() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// What the system's file says of its last failed call.
///
/// # Safety
/// `real` is an open file of the system's VFS.
unsafe fn last_errno(real: *mut sqlite3_file) -> i32 {
    let fallback = last_os_error();
    let mut errno: c_int = 0;
    // SAFETY: the control writes one int.
    let told = unsafe {
        (*(*real).pMethods)
            .xFileControl
            .map(|control| control(real, SQLITE_FCNTL_LAST_ERRNO, (&raw mut errno).cast()))
    };
    if told == Some(SQLITE_OK) && errno != 0 { errno } else { fallback }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls this with the VFS that was registered and with memory of `szOsFile` bytes.
    unsafe {
        let system = (*vfs.cast::<Vfs>()).system;
        let ours = file.cast::<File>();
        ours.write(File { base: sqlite3_file { pMethods: ptr::null() }, index: ptr::null_mut() });
        let real = inner(file);
        (*real).pMethods = ptr::null();
        if let Some((code, errno)) = instead(file, "xOpen") {
            return noted(code, || errno);
        }
        let code = (*system).xOpen.map_or(ffi::SQLITE_CANTOPEN, |f| f(system, name, real, flags, out_flags));
        if !(*real).pMethods.is_null() {
            let methods = &*(*real).pMethods;
            let shares = methods.iVersion >= 3 && methods.xShmMap.is_some() && methods.xFetch.is_some();
            (*ours).base.pMethods = if shares { &SHARED } else { &PLAIN };
        }
        noted(code, last_os_error)
    }
}

/// Calls the same method of the system's file.
macro_rules! pass {
    ($file:ident, $method:ident ( $($arg:expr),* )) => {{
        let real = inner($file);
        match ((*(*real).pMethods).$method, instead($file, stringify!($method))) {
            (_, Some((code, errno))) => noted(code, || errno),
            (Some(call), None) => noted(call(real $(, $arg)*), || last_errno(real)),
            (None, None) => ffi::SQLITE_IOERR,
        }
    }};
}

/// The methods that only pass on.
macro_rules! passing {
    ($($name:ident = $method:ident ( $($arg:ident: $type:ty),* );)+) => {
        $(unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $arg: $type)*) -> c_int {
            // SAFETY: SQLite calls a method with the file that it belongs to and with arguments of this form.
            unsafe { pass!(file, $method($($arg),*)) }
        })+
    };
}

passing! {
    close = xClose();
    read = xRead(to: *mut c_void, bytes: c_int, at: i64);
    write = xWrite(from: *const c_void, bytes: c_int, at: i64);
    truncate = xTruncate(size: i64);
    file_size = xFileSize(size: *mut i64);
    lock = xLock(level: c_int);
    unlock = xUnlock(level: c_int);
    check_reserved = xCheckReservedLock(held: *mut c_int);
    shm_lock = xShmLock(offset: c_int, n: c_int, flags: c_int);
    fetch = xFetch(at: i64, bytes: c_int, to: *mut *mut c_void);
    unfetch = xUnfetch(at: i64, from: *mut c_void);
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: as above; the index is mapped as long as it is kept here, and aligned, being the start of a mapping.
    unsafe {
        let code = pass!(file, xSync(flags));
        let index = (*file.cast::<File>()).index;
        if code != SQLITE_OK && !index.is_null() {
            AtomicU32::from_ptr(index.byte_add(BACKFILL_OFFSET).cast()).store(0, Ordering::SeqCst);
        }
        code
    }
}

unsafe extern "C" fn control(file: *mut sqlite3_file, op: c_int, arg: *mut c_void) -> c_int {
    // SAFETY: as above. What a VFS does not know it answers with NOTFOUND, which is no failure.
    unsafe {
        let real = inner(file);
        (*(*real).pMethods).xFileControl.map_or(ffi::SQLITE_NOTFOUND, |call| call(real, op, arg))
    }
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    // SAFETY: as above. This answers a number, not a code.
    unsafe {
        let real = inner(file);
        (*(*real).pMethods).xSectorSize.map_or(4096, |call| call(real))
    }
}

unsafe extern "C" fn characteristics(file: *mut sqlite3_file) -> c_int {
    // SAFETY: as above. This answers flags, not a code.
    unsafe {
        let real = inner(file);
        (*(*real).pMethods).xDeviceCharacteristics.map_or(0, |call| call(real))
    }
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    to: *mut *mut c_void,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        let code = pass!(file, xShmMap(region, bytes, extend, to));
        if code == SQLITE_OK && region == 0 {
            (*file.cast::<File>()).index = *to;
        }
        code
    }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: as above.
    unsafe {
        let real = inner(file);
        if let Some(call) = (*(*real).pMethods).xShmBarrier {
            call(real);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: as above.
    unsafe {
        (*file.cast::<File>()).index = ptr::null_mut();
        pass!(file, xShmUnmap(delete))
    }
}

/// Methods of a file without shared memory: logs, journals, and databases where the system has none.
static PLAIN: sqlite3_io_methods = BASIC;

const BASIC: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

/// Methods of a database file.
static SHARED: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 3,
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
    ..BASIC
};

#[cfg(test)]
mod tests;
