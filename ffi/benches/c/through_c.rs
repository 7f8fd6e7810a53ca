//! The work as a C program does it: through the exported functions, with handles, codes and outputs.

use std::ffi::{CStr, c_char};
use std::path::Path;
use std::ptr::{null, null_mut};

use openwa::codes::OPENWA_OK;
use openwa::columns as col;
use openwa::direct::openwa_api_keys_decide;
use openwa::record::{openwa_record_free, openwa_record_from_json, openwa_record_new};
use openwa::rows::{openwa_rows_free, openwa_rows_next};
use openwa::store::{openwa_store_free, openwa_store_open};
use openwa::verbs::{
    openwa_api_keys_authorize, openwa_messages_list, openwa_messages_save, openwa_sessions_create,
};
use openwa::{openwa_bytes, openwa_record, openwa_rows, openwa_store, openwa_str};

use crate::{BODY, Sample};

const NONE: openwa_str = openwa_str { ptr: null(), len: 0 };

fn text(s: &str) -> openwa_str {
    openwa_str { ptr: s.as_ptr().cast(), len: s.len() }
}

fn ok(code: i32) {
    assert_eq!(code, OPENWA_OK, "a call failed");
}

/// An open store, as C holds it.
pub struct Store(*mut openwa_store);

// A store may be used from any thread.
unsafe impl Sync for Store {}

impl Drop for Store {
    fn drop(&mut self) {
        unsafe { openwa_store_free(self.0) };
    }
}

impl Store {
    pub fn open(dir: &Path) -> Self {
        let options = format!("{{\"dir\": {:?}}}", dir.display().to_string());
        let mut store = null_mut();
        ok(unsafe { openwa_store_open(text(&options), &mut store, null_mut()) });
        Store(store)
    }

    pub fn session(&self) -> String {
        let (mut input, mut session, mut id) = (null_mut(), null_mut(), NONE);
        unsafe {
            ok(openwa_record_from_json(
                c"NewSession".as_ptr(),
                text(r#"{"name":"bench"}"#),
                &mut input,
                null_mut(),
            ));
            ok(openwa_sessions_create(self.0, input, &mut session, null_mut()));
            ok(col::openwa_record_text(session, c"id".as_ptr(), &mut id, null_mut()));
            let id = std::str::from_utf8(std::slice::from_raw_parts(id.ptr.cast(), id.len))
                .expect("an id")
                .to_owned();
            openwa_record_free(session);
            openwa_record_free(input);
            id
        }
    }

    /// One thread's way to save: a record that is filled anew for each message.
    pub fn saver(&self, session: &str) -> impl FnMut(&Sample) {
        let (mut input, store) = (null_mut(), self.0);
        ok(unsafe { openwa_record_new(c"NewMessage".as_ptr(), &mut input, null_mut()) });
        let input = Input(input);
        move |m| unsafe {
            // Moves the guard in, not the pointer out of it.
            let input = &input;
            let set = |column: &CStr, value: &str| {
                ok(col::openwa_record_set_text(input.0, column.as_ptr(), text(value), null_mut()));
            };
            set(c"wa_message_id", &m.wa_message_id);
            set(c"chat_id", &m.chat_id);
            set(c"from_number", &m.chat_id);
            set(c"type", "text");
            set(c"body", BODY);
            ok(col::openwa_record_set_time_ms(input.0, c"wa_timestamp".as_ptr(), m.at.millis(), null_mut()));
            let (mut saved, mut outcome) = (null_mut(), NONE);
            ok(openwa_messages_save(store, text(session), input.0, &mut saved, null_mut()));
            ok(col::openwa_record_text(saved, c"outcome".as_ptr(), &mut outcome, null_mut()));
            openwa_record_free(saved);
        }
    }

    /// Reads a page again and again and looks at every column; gives how many rows it saw.
    pub fn pages(&self, session: &str, chat: &str, pages: usize) -> usize {
        let mut filter = null_mut();
        let mut seen = 0;
        unsafe {
            ok(openwa_record_new(c"MessageFilter".as_ptr(), &mut filter, null_mut()));
            ok(col::openwa_record_set_text(filter, c"chat".as_ptr(), text(chat), null_mut()));
            for _ in 0..pages {
                let (mut rows, mut row): (*mut openwa_rows, *const openwa_record) = (null_mut(), null());
                ok(openwa_messages_list(self.0, text(session), filter, null(), &mut rows, null_mut()));
                loop {
                    ok(openwa_rows_next(rows, &mut row, null_mut()));
                    if row.is_null() {
                        break;
                    }
                    assert!(touch(row) > 0);
                    seen += 1;
                }
                openwa_rows_free(rows);
            }
            openwa_record_free(filter);
        }
        seen
    }

    pub fn decide(&self, keys: &[String], calls: usize) -> usize {
        for i in 0..calls {
            let mut decision: *const c_char = null();
            let key = text(&keys[i % keys.len()]);
            unsafe {
                ok(openwa_api_keys_decide(
                    self.0,
                    key,
                    text("messages:read"),
                    NONE,
                    NONE,
                    NONE,
                    &mut decision,
                    null_mut(),
                ));
                assert_eq!(CStr::from_ptr(decision), c"allowed");
            }
        }
        calls
    }

    pub fn authorize(&self, keys: &[String], calls: usize) -> usize {
        let mut ask = null_mut();
        unsafe {
            ok(openwa_record_new(c"Ask".as_ptr(), &mut ask, null_mut()));
            ok(col::openwa_record_set_text(ask, c"permission".as_ptr(), text("messages:read"), null_mut()));
            for i in 0..calls {
                let (mut answer, mut allowed) = (null_mut(), false);
                ok(openwa_api_keys_authorize(
                    self.0,
                    text(&keys[i % keys.len()]),
                    ask,
                    &mut answer,
                    null_mut(),
                ));
                ok(col::openwa_record_bool_at(answer, 0, &mut allowed, null_mut()));
                assert!(allowed);
                openwa_record_free(answer);
            }
            openwa_record_free(ask);
        }
        calls
    }
}

/// A record that ends with the thread that uses it.
struct Input(*mut openwa_record);

impl Drop for Input {
    fn drop(&mut self) {
        unsafe { openwa_record_free(self.0) };
    }
}

/// Looks at every column of a message, by position, in the order of the table.
unsafe fn touch(row: *const openwa_record) -> usize {
    let (mut s, mut n, mut b, mut bytes, mut sum) = (NONE, 0, false, openwa_bytes { ptr: null(), len: 0 }, 0);
    unsafe {
        for column in 0..8 {
            ok(col::openwa_record_text_at(row, column, &mut s, null_mut()));
            sum += s.len;
        }
        ok(col::openwa_record_json_at(row, 8, &mut s, null_mut()));
        ok(col::openwa_record_i64_at(row, 9, &mut n, null_mut()));
        for column in 10..12 {
            ok(col::openwa_record_bool_at(row, column, &mut b, null_mut()));
            sum += usize::from(b);
        }
        for column in 12..16 {
            ok(col::openwa_record_time_ms_at(row, column, &mut n, null_mut()));
            sum += usize::from(n > 0);
        }
        ok(col::openwa_record_bytes_at(row, 16, &mut bytes, null_mut()));
    }
    sum + s.len + bytes.len
}
