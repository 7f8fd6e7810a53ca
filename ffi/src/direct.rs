//! Verbs that are called so often that they get by without records.

use std::ffi::c_char;

use ::openwa_store::{Ask, Error, Result};

use crate::error::openwa_error;
use crate::guard::{clear, guard, put};
use crate::handle;
use crate::store::openwa_store;
use crate::text::{openwa_str, static_name};

/// Decides whether a request with a key may go on, like `openwa_api_keys_authorize`, without giving the key's record. The
/// hottest call of a gateway: a few microseconds, no memory to be freed.
///
/// - `key`: The key itself.
/// - `permission`: The permission the request needs; `NULL, 0`: any will do.
/// - `ip`: Address of the client; `NULL, 0`: unknown.
/// - `session`: Id or name of the session it is about; `NULL, 0`: none.
/// - `chat`: Address of the chat it is about; `NULL, 0`: none.
/// - `out`: a static string: `allowed`, or why not: `unknown_key`, `inactive`, `expired`, `ip_denied`,
///   `permission_denied`, `session_denied`, `chat_denied`. Tell an outsider only *that* it is not.
///
/// Errors: `OPENWA_ERR_INVALID_ARGUMENT` naming the argument, and those of the database; deny then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_api_keys_decide(
    store: *const openwa_store,
    key: openwa_str,
    permission: openwa_str,
    ip: openwa_str,
    session: openwa_str,
    chat: openwa_str,
    out: *mut *const c_char,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(out);
        guard(err, || {
            let store = &handle::get(store)?.store;
            let key = key.read("key")?.ok_or_else(|| Error::invalid("key", "key is missing"))?;
            let ask = Ask {
                permission: parsed(permission, "permission", str::parse)?,
                ip: parsed(ip, "ip", ::openwa_store::policy::ip::parse_address)?,
                session: session.read("session")?,
                session_alias: None,
                chat: chat.read("chat")?,
            };
            put(out, static_name(store.api_keys().authorize(key, &ask)?.decision.name()));
            Ok(())
        })
    }
}

unsafe fn parsed<T>(
    given: openwa_str,
    argument: &'static str,
    parse: impl FnOnce(&str) -> Result<T>,
) -> Result<Option<T>> {
    let given = unsafe { given.read(argument) }?;
    given.map(parse).transpose().map_err(|e| e.with("column", argument))
}
