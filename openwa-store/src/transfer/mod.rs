//! Export and import: the whole store, or some of its tables, as one JSON document.
//!
//! # The document, version 1
//!
//! ```json
//! {"format":"openwa-store","version":1,"exportedAt":"2026-01-05T08:01:23.000Z","dataDbType":"sqlite","redacted":[],"tables":{
//! "sessions":[
//! {"id":"0193…","name":"shop-1", …},
//! {"id":"0194…","name":"shop-2", …}
//! ],
//! "webhooks":[]
//! },"counts":{"sessions":2,"webhooks":0},"sha256":"…"}
//! ```
//!
//! - **Tables** stand in the order of [`TABLES`](crate::entity::TABLES): those of Main first, parents before
//!   children. A table that is not in the document was not exported.
//! - **Rows** stand in the order of their primary key and have their columns as keys, in the table's order. A
//!   column that a row lacks is null; a JSON column that is null is always left out, because `null` is a
//!   document of its own.
//! - **Values**: dates as ISO text (of both databases), bytes as base64, booleans as `true` and `false`, UUIDs
//!   as text, JSON columns as the JSON they hold, text as a JSON string; U+0000 and lone surrogates are the
//!   standard escapes `\u0000` and `\ud83d`. JSON columns are in one form that depends on their value only:
//!   keys sorted by their bytes, no white space, all digits kept (`1e2` is written `100`).
//! - **`redacted`** lists what was left out because it is secret: `table.column`, or `table` for a whole table.
//! - **`sha256`** is the SHA-256, in hex, of the bytes of the `tables` value exactly as they stand in the
//!   document, from its `{` to its `}`. A document that another program has written anew, even if only with
//!   other white space, needs a new one.
//!
//! The same data gives the same `tables` byte for byte, whichever engine holds it. The order of the members is
//! part of the format, so that a document can be checked and imported while it is being read: an import takes
//! memory for one row, and until it ends the space of its rows in the write-ahead log.

mod canonical;
mod compare;
mod compress;
mod document;
mod export;
mod import;
mod journal;
mod lexer;
mod load;
mod migrate;
mod parse;
mod render;
mod saved_file;
mod scan;

pub use compare::{Difference, Differing, MAX_DIFFERENCES, compare};
pub(crate) use export::export;
pub(crate) use import::{Origin, import};
pub(crate) use journal::finish_import;
pub(crate) use migrate::migrate;
pub use migrate::{MigrateOptions, MigrateReport, MigratedTable};
pub(crate) use render::Renderer;
pub(crate) use saved_file::SavedFile;
pub(crate) use scan::{Scanner, hex};

use std::ops::ControlFlow;

use crate::error::{Error, Kind, Result};
use crate::record::shape;
use crate::time::Timestamp;
use crate::value::names;

/// The value of `format`.
pub(crate) const FORMAT: &str = "openwa-store";
/// The newest version that this library reads, and the one it writes.
pub(crate) const VERSION: u64 = 1;
/// The longest row, in bytes of the document, that is written and read.
pub const MAX_ROW_BYTES: usize = 256 << 20;

shape! { input:
/// What to export, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Also the tables of the Main database: API keys, their logs, the audit trail.
    pub main: bool,
    /// Only these tables, of either database; `None`: all of Data, and of Main if `main` is set.
    pub tables: Option<Vec<String>>,
    /// Leaves out everything secret. A secret column is left out, or `{}` where it may not be null; a table that
    /// would be worthless without its secret (`session_auth`, `api_keys`) is left out with the tables that
    /// need it.
    pub redact: bool,
    /// Compresses with zstd. A file whose name ends in `.zst` is compressed in any case.
    pub compress: bool,
}
}

shape! { output:
/// What an export wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// When it was made, as in the document.
    pub exported_at: Timestamp,
    /// Rows per table, in the order of the document.
    pub tables: Vec<(&'static str, u64)>,
    /// What was left out because it is secret: `table.column`, or `table`.
    pub redacted: Vec<String>,
    /// The checksum of the document's tables.
    pub sha256: String,
    /// Bytes of the document before compression.
    pub bytes: u64,
}
}

names! {
    /// What happens to rows that are there already.
    pub enum Mode: default Replace {
        /// Every table of the document replaces the one in the store.
        Replace = "replace",
        /// Rows that are new are added, rows that are there stay as they are. A row is there when its primary key
        /// or a unique value of it is. A row that belongs to one that was not added, because its name was taken by
        /// a row with another id, is an error: nothing is dropped silently, and nobody's rows are mixed.
        Merge = "merge",
    }
}

names! {
    /// What happens to tables that the document does not have.
    pub enum Missing: default Keep {
        /// They are left alone.
        Keep = "keep",
        /// They are emptied, in every database that the document has a table of: a document without tables of
        /// Main never touches the keys.
        Clear = "clear",
    }
}

shape! { input:
/// How to import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What happens to rows that are there already.
    pub mode: Mode,
    /// What happens to tables that the document does not have.
    pub missing: Missing,
    /// Does everything, then takes it back: the report says what an import would do.
    pub dry_run: bool,
}
}

shape! { output:
/// What an import did, or with `dry_run` would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// When the document was made.
    pub exported_at: Timestamp,
    /// Whether nothing was kept of it.
    pub dry_run: bool,
    /// What happened to each table, in the order of the document; then those that were emptied.
    pub tables: Vec<ImportedTable>,
    /// What the document leaves out because it is secret.
    pub redacted: Vec<String>,
    /// What a person should know, such as that retention waits.
    pub notes: Vec<String>,
}
}

shape! { output:
/// What an import did to one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedTable {
    /// The table.
    pub table: &'static str,
    /// Rows in the document.
    pub rows: u64,
    /// Rows that were added; the others were there already.
    pub inserted: u64,
    /// Rows that were removed before.
    pub removed: u64,
}
}

/// How far an export or import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The table that is being worked on.
    pub table: &'static str,
    /// Its rows that are done.
    pub rows: u64,
    /// All its rows, where that is known: in an export.
    pub total: Option<u64>,
}

/// Hears of the progress; `Break` stops the operation and leaves everything as it was. It is called on the
/// caller's own thread. During an import it must not use the store, which waits for the import to end.
pub type OnProgress<'a> = Option<&'a mut dyn FnMut(Progress) -> ControlFlow<()>>;

/// Rows between two calls of the progress callback.
const REPORT_EVERY: u64 = 1000;

/// Tells the progress callback, if there is one and it is time.
pub(crate) fn report(to: &mut OnProgress<'_>, progress: Progress, always: bool) -> Result<()> {
    if let Some(tell) = to
        && (always || progress.rows.is_multiple_of(REPORT_EVERY))
        && tell(progress).is_break()
    {
        return Err(Error::new(Kind::Cancelled, "stopped on request").with("table", progress.table));
    }
    Ok(())
}
