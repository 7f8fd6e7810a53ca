//! Opening and closing.

use ::openwa_store::Store;
use ::openwa_store::face::{self, Record};

use crate::call;
use crate::error::openwa_error;
use crate::guard::{clear, guard, put, quiet};
use crate::handle::{self, Handle};
use crate::later::Dispatcher;
use crate::record::openwa_record;
use crate::rows::{self, openwa_rows};
use crate::text::openwa_str;

/// An open store. Any number of threads may use it at once. Close it, then free it.
pub struct openwa_store {
    _opaque: [u8; 0],
}

/// What a store holds.
pub(crate) struct Body {
    pub(crate) store: Store,
    pub(crate) dispatcher: Dispatcher,
}

impl Drop for Body {
    fn drop(&mut self) {
        // Nobody is left to hear of an error. Closing answers every write, so that every callback can be called.
        let _ = self.store.close();
        self.dispatcher.end();
    }
}

impl Handle for openwa_store {
    type Body = Body;
    const NAME: &'static str = "openwa_store";
    const TAG: u32 = 0x0A0E_0004;
}

/// Opens a store, making folder and databases if they are missing, and brings them to this library's version.
///
/// `options` is a JSON object; unknown keys are errors. `{"dir": "./data"}` is enough; no text or `{}` opens a store in
/// memory. The guide lists all options. Free the store with `openwa_store_free`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the option, `OPENWA_ERR_FOREIGN_DATABASE`, `OPENWA_ERR_SCHEMA_TOO_NEW`,
/// `OPENWA_ERR_PERMISSION_DENIED`, `OPENWA_ERR_CORRUPT`, `OPENWA_ERR_IO`, `OPENWA_ERR_FORKED` in a child of a process that has
/// it open, each with the path in its context.
///
/// ```c
/// openwa_store *store;
/// if (openwa_store_open(OPENWA_STR("{\"dir\": \"./data\"}"), &store, &err) != OPENWA_OK) { … }
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_open(
    options: openwa_str,
    out: *mut *mut openwa_store,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let options = match options.read("options")? {
                Some(json) => Record::from_json(face::open_options(), json)?,
                None => Record::empty(face::open_options()),
            };
            let store = face::open(options)?;
            put(out, handle::create(Body { store, dispatcher: Dispatcher::default() }));
            Ok(())
        })
    }
}

/// Ends a store: what was submitted is written, then the files are closed. Every later use of the store is
/// `OPENWA_ERR_CLOSED`; closing it again does nothing.
///
/// Errors: what the last writes failed with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_close(store: *const openwa_store, err: *mut *mut openwa_error) -> i32 {
    unsafe { guard(err, || handle::get(store)?.store.close()) }
}

/// Frees a store, closing it if it is open. NULL is allowed. No other thread may be using it; callbacks that are under
/// way are waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_store_free(store: *mut openwa_store) {
    quiet((), || unsafe { handle::free(store) });
}

/// Every message of a session that matches, in constant memory. Rows that come or go meanwhile neither shift nor repeat
/// anything. `filter` may be NULL. Free the cursor with `openwa_rows_free`; it may outlive the store, and then fails with
/// `OPENWA_ERR_CLOSED`.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT`; those of the database come from `openwa_rows_next`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_messages_iterate(
    store: *const openwa_store,
    session: openwa_str,
    filter: *const openwa_record,
    out: *mut *mut openwa_rows,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let store = handle::get(store)?.store.clone();
            let (session, filter) = (call::uuid("session", session)?, call::record(filter)?);
            put(out, rows::give_iteration(face::iterate(&store, session, filter)?));
            Ok(())
        })
    }
}
