//! Takeover: another gateway's data moves in, and back out.
//!
//! Sources are recognised by what they are: OpenWA's two databases, its export, the auth folder of Baileys, the
//! session archive of whatsapp-web.js. A takeover first reads and maps everything into a spool, then writes it
//! as one import: all or nothing. Rows that are there already stay as they are, so a
//! second run changes nothing.

mod back;
mod map;
mod pairing;
mod row;
mod run;
mod settle;
mod source;
mod spool;

use std::ops::ControlFlow;

use crate::record::shape;
use crate::text::Text;

pub(crate) use back::export_openwa;
pub(crate) use run::takeover;

/// Problems of which a report tells the details; the others are counted.
pub const MAX_PROBLEMS: usize = 1000;

shape! { input:
/// How to take over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakeoverOptions {
    /// Reads everything and reports; nothing is written.
    pub plan: bool,
    /// Takes over the rows that are good and reports the others. If not set, one bad row means that nothing is
    /// written.
    pub skip_bad_rows: bool,
    /// Name or id of the session that credentials belong to. `None`: the one called like their folder or archive,
    /// or with their telephone number; else a new one of that name.
    pub session: Option<Text>,
}
}

shape! { output:
/// What a takeover did, or with `plan` would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakeoverReport {
    /// Whether it was only a plan.
    pub plan: bool,
    /// What was read.
    pub sources: Vec<TakeoverSource>,
    /// What became of the rows of each table of the sources.
    pub tables: Vec<TakeoverTable>,
    /// What was written to each of our tables; empty for a plan.
    pub written: Vec<TakeoverWritten>,
    /// Rows that were not taken over, the first [`MAX_PROBLEMS`].
    pub problems: Vec<TakeoverProblem>,
    /// How many rows were not taken over.
    pub problem_count: u64,
    /// What people should know beside that.
    pub notes: Vec<String>,
}
}

shape! { output:
/// One source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeoverSource {
    /// Its path, or its address without the password.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
}
}

shape! { output:
/// One table of the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakeoverTable {
    /// Its name in OpenWA's database; credentials are a table of their own, `credentials`.
    pub table: String,
    /// Rows that were read.
    pub rows: u64,
    /// Rows that have a place in our tables.
    pub mapped: u64,
    /// Rows of which something, or all, is kept in `openwa_extra`.
    pub extra: u64,
    /// Rows that cannot be taken over.
    pub bad: u64,
    /// Rows that an earlier source had too.
    pub repeated: u64,
    /// Our tables that its rows go to; empty: only to `openwa_extra`.
    pub to: Vec<&'static str>,
    /// Columns that are kept in `openwa_extra`.
    pub extra_columns: Vec<String>,
}
}

shape! { output:
/// One of our tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeoverWritten {
    /// The table.
    pub table: &'static str,
    /// Rows for it.
    pub rows: u64,
    /// Rows that were added; the others were there already.
    pub inserted: u64,
}
}

shape! { output:
/// A row that cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeoverProblem {
    /// The source.
    pub source: String,
    /// The table, by its name in OpenWA's database.
    pub table: String,
    /// The row's id, or its number from 1 where it has none.
    pub row: String,
    /// The column; empty: the row as a whole.
    pub column: String,
    /// What is wrong. It never repeats a value that may be secret.
    pub why: String,
}
}

/// What a takeover is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeoverPhase {
    /// Reading and mapping a source.
    Read,
    /// Writing to the store.
    Write,
}

/// How far a takeover is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeoverProgress {
    /// What it is doing.
    pub phase: TakeoverPhase,
    /// The table that is being worked on: the source's when it reads, ours when it writes.
    pub table: String,
    /// Rows that are done in this phase.
    pub rows: u64,
    /// What is done of `total`: bytes of the export, else rows.
    pub done: u64,
    /// All that is to be done in this phase of this source; `None`: nobody knows.
    pub total: Option<u64>,
}

/// Hears of the progress; `Break` stops the takeover and leaves the store as it was. It is called on the caller's
/// own thread. While it writes, it must not use the store.
pub type OnTakeover<'a> = Option<&'a mut dyn FnMut(&TakeoverProgress) -> ControlFlow<()>>;

shape! { output:
/// What an export in OpenWA's format wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenwaExportReport {
    /// Rows per table.
    pub tables: Vec<OpenwaTable>,
    /// Bytes of the document before compression.
    pub bytes: u64,
    /// What the format cannot hold, and how many rows of it there are.
    pub left_out: Vec<(&'static str, u64)>,
}
}

shape! { output:
/// A table of an export in OpenWA's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenwaTable {
    /// Its name in the document.
    pub table: String,
    /// Its rows.
    pub rows: u64,
}
}

impl TakeoverProgress {
    /// The table by a name that the library knows: those of a source's own are all `openwa_extra`.
    pub(crate) fn known_table(&self) -> &'static str {
        let ours = crate::entity::TABLES.iter().map(|t| t.name);
        let mut names = map::MAPPINGS.iter().map(|m| m.table).chain(ours);
        names.find(|name| *name == self.table).unwrap_or("openwa_extra")
    }
}
