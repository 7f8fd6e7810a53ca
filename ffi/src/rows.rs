//! Cursors: pages, lists and iterations.

use ::openwa_store::face::{Field, Record, Rows, Shape, Type, Value};
use ::openwa_store::{Error, Kind, Result, Text};

use crate::error::openwa_error;
use crate::guard::{clear, guard, quiet};
use crate::handle::{self, Handle};
use crate::record::{self, openwa_record};
use crate::text::openwa_str;

/// A cursor over the rows of an answer. Step it with `openwa_rows_next`, free it with `openwa_rows_free`.
///
/// One thread at a time may use a cursor.
pub struct openwa_rows {
    _opaque: [u8; 0],
}

/// Where rows come from.
enum Source {
    There(Box<dyn Iterator<Item = Record> + Send>),
    /// They are fetched, or made of other values.
    MayFail(Box<dyn Iterator<Item = Result<Record>> + Send>),
}

impl Source {
    fn next(&mut self) -> Result<Option<Record>> {
        match self {
            Source::There(rows) => Ok(rows.next()),
            Source::MayFail(rows) => rows.next().transpose(),
        }
    }
}

/// What a cursor holds.
pub(crate) struct Body {
    source: Source,
    len: usize,
    /// The cursor of the next page.
    next: Option<Text>,
    /// The row that was stepped to.
    current: *mut openwa_record,
}

impl Drop for Body {
    fn drop(&mut self) {
        unsafe { handle::free(self.current) };
    }
}

impl Handle for openwa_rows {
    type Body = Body;
    const NAME: &'static str = "openwa_rows";
    const TAG: u32 = 0x0A0E_0003;
}

fn give(source: Source, len: usize, next: Option<Text>) -> *mut openwa_rows {
    handle::create(Body { source, len, next, current: std::ptr::null_mut() })
}

/// A page. Its rows become records as the cursor comes to them: one after the other in the same memory.
pub(crate) fn give_page(page: Rows) -> *mut openwa_rows {
    let len = page.rows.len();
    give(Source::There(page.rows), len, page.next.map(Text::from))
}

/// A list of records, or of values, which become records of one column, `value`.
pub(crate) fn give_list(items: Vec<Value>) -> *mut openwa_rows {
    let len = items.len();
    give(Source::MayFail(Box::new(items.into_iter().map(row))), len, None)
}

/// Rows that are fetched while the cursor is stepped.
pub(crate) fn give_iteration(
    rows: impl Iterator<Item = Result<Record>> + Send + 'static,
) -> *mut openwa_rows {
    give(Source::MayFail(Box::new(rows)), 0, None)
}

static TEXT_VALUE: Shape = Shape {
    name: "Value",
    doc: "One text of a list.",
    fields: &[Field {
        name: "value",
        doc: "The text.",
        ty: Type::Text,
        required: false,
        nullable: false,
        limit: None,
        secret: false,
    }],
};

fn row(item: Value) -> Result<Record> {
    match item {
        Value::Record(record) => Ok(record),
        text => {
            let mut record = Record::empty(&TEXT_VALUE);
            record.set(0, text)?;
            Ok(record)
        }
    }
}

/// Steps to the next row. `row_out` is NULL behind the last one; else it belongs to the cursor and stays valid until the
/// cursor is stepped again or freed. Lists of texts have rows with one column, `value`.
///
/// ```c
/// const openwa_record *row;
/// while (openwa_rows_next(rows, &row, &err) == OPENWA_OK && row != NULL) {
///     openwa_str body;
///     openwa_record_text(row, "body", &body, NULL);
/// }
/// ```
///
/// Errors: only an iteration, which fetches while it is stepped, has those of the database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_rows_next(
    rows: *mut openwa_rows,
    row_out: *mut *const openwa_record,
    err: *mut *mut openwa_error,
) -> i32 {
    unsafe {
        clear(row_out);
        guard(err, || {
            let body = handle::get_mut(rows)?;
            if row_out.is_null() {
                return Err(Error::new(Kind::InvalidArgument, "row_out is NULL"));
            }
            let Some(record) = body.source.next()? else { return Ok(()) };
            if body.current.is_null() {
                body.current = handle::create(record::Body::new(record));
            } else {
                handle::get_mut(body.current)?.replace(record);
            }
            row_out.write(body.current.cast_const());
            Ok(())
        })
    }
}

/// How many rows the page or list has in all; 0 for an iteration, whose end nobody knows, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_rows_len(rows: *const openwa_rows) -> usize {
    quiet(0, || unsafe { handle::get(rows) }.map_or(0, |body| body.len))
}

/// The cursor of the next page, to be set as `after` of a `PageRequest`: valid until the cursor is freed; `NULL, 0` when
/// this is the last page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_rows_after(rows: *const openwa_rows) -> openwa_str {
    quiet(openwa_str::NONE, || {
        let body = unsafe { handle::get(rows) }.ok();
        body.and_then(|body| body.next.as_ref())
            .map_or(openwa_str::NONE, |next| openwa_str::of(next.as_stored()))
    })
}

/// Frees a cursor and the row that it stands on. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openwa_rows_free(rows: *mut openwa_rows) {
    quiet((), || unsafe { handle::free(rows) });
}
