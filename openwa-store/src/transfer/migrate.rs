//! From one store straight into another, whatever their engines: an export that an import reads while it is written.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sha2::{Digest, Sha256};

use super::export::export_summed;
use super::import::{Origin, import_verified};
use super::render::Renderer;
use super::scan::hex;
use super::{ExportOptions, ImportOptions, Missing, Mode, OnProgress};
use crate::db::{Conn, Flow, lock};
use crate::entity::{Database, TABLES, Table};
use crate::error::{Error, Kind, Result};
use crate::record::shape;
use crate::repo::retention::MovedBy;
use crate::store::Store;

shape! { input:
/// What to move, and what may be in the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MigrateOptions {
    /// Also the tables of the Main database: API keys, their logs, the audit trail.
    pub main: bool,
    /// Replaces what the target has. If not, a target that has rows is refused.
    pub replace: bool,
}
}

shape! { output:
/// What a migration moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrateReport {
    /// The tables, in the order in which they were moved.
    pub tables: Vec<MigratedTable>,
}
}

shape! { output:
/// One table that was moved and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigratedTable {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// The SHA-256, in hex, of its rows in both stores, in the form of an export.
    pub sha256: String,
}
}

/// Rows of a table and their checksum.
pub(super) type Sums = HashMap<&'static str, (u64, String)>;

/// Pieces of the document that may be under way.
const UNDER_WAY: usize = 16;

/// Moves the rows of one store into another; see [`Store::migrate_to`].
pub(crate) fn migrate(
    from: &Store,
    to: &Store,
    options: &MigrateOptions,
    progress: OnProgress<'_>,
) -> Result<MigrateReport> {
    if !options.replace {
        refuse_rows(to, options)?;
    }
    let what = ExportOptions { main: options.main, ..ExportOptions::default() };
    let how = ImportOptions { mode: Mode::Replace, missing: Missing::Keep, dry_run: false };
    let sums = Mutex::new(Sums::new());
    let (sender, receiver) = sync_channel(UNDER_WAY);
    let (written, read) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| export_summed(from, &mut Sending(sender), &what, &sums));
        let verify = |table: &'static Table, conn: &dyn Conn| compare(table, conn, &lock(&sums));
        let shown = from.database(Database::Data).shown();
        let origin = Origin { by: MovedBy::Migration, source: &shown };
        let read = import_verified(to, &mut Receiving::new(receiver), &how, origin, &verify, progress);
        let panicked = |_| Err(Error::new(Kind::Internal, "the export panicked"));
        (writer.join().unwrap_or_else(panicked), read)
    });
    // An export that fails breaks its document off, which the import notices too; the first cause is the one to tell.
    // One whose reader has gone fails as well, and then it is the import that knows why.
    if let Err(e) = written
        && !is_broken_pipe(&e)
    {
        return Err(e.with("store", "source"));
    }
    let read = read.map_err(|e| e.with("store", "target"))?;
    let sums = lock(&sums);
    let tables = read.tables.iter().filter_map(|t| {
        let (rows, sha256) = sums.get(t.table)?.clone();
        Some(MigratedTable { table: t.table, rows, sha256 })
    });
    Ok(MigrateReport { tables: tables.collect() })
}

fn is_broken_pipe(e: &Error) -> bool {
    let source = std::error::Error::source(e).and_then(|s| s.downcast_ref::<io::Error>());
    source.is_some_and(|s| s.kind() == io::ErrorKind::BrokenPipe)
}

/// Refuses a target that has rows of its own.
fn refuse_rows(to: &Store, options: &MigrateOptions) -> Result<()> {
    for table in TABLES.iter().filter(|t| options.main || t.database == Database::Data) {
        let any = format!("SELECT 1 FROM {} LIMIT 1", table.name);
        if to.database(table.database).read(|conn| conn.first(&any, &[], |_| Ok(())))?.is_some() {
            let text =
                format!("the target has rows in {} already; give an empty one, or replace them", table.name);
            return Err(Error::new(Kind::Conflict, text).with("table", table.name));
        }
    }
    Ok(())
}

/// Makes sure that a table of the target has the rows that were sent, by reading them back.
fn compare(table: &'static Table, conn: &dyn Conn, sums: &Sums) -> Result<()> {
    let there = sum(table, conn)?;
    match sums.get(table.name) {
        Some(sent) if *sent == there => Ok(()),
        sent => {
            let (rows, _) = sent.cloned().unwrap_or_default();
            let text = format!("{rows} rows were sent, and the {} that are there are not the same", there.0);
            Err(Error::new(Kind::InvalidData, text).with("table", table.name))
        }
    }
}

fn sum(table: &'static Table, conn: &dyn Conn) -> Result<(u64, String)> {
    let sql = format!("SELECT {} FROM {} ORDER BY {}", table.column_list(), table.name, table.key.join(", "));
    let (mut renderer, mut summing, mut text) = (Renderer::new(table), Summing::default(), Vec::new());
    conn.query_opened(table, &sql, &[], &mut |row| {
        text.clear();
        renderer.row(row, &mut text)?;
        summing.row(&text);
        Ok(Flow::Continue(()))
    })?;
    Ok(summing.done())
}

/// The checksum of rows in the form of an export.
#[derive(Default)]
pub(super) struct Summing {
    hash: Sha256,
    rows: u64,
}

impl Summing {
    pub(super) fn row(&mut self, row: &[u8]) {
        self.hash.update(row);
        self.hash.update(b"\n");
        self.rows += 1;
    }

    pub(super) fn done(self) -> (u64, String) {
        (self.rows, hex(self.hash))
    }
}

/// The end of the pipe that is written to.
struct Sending(SyncSender<Vec<u8>>);

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end of the pipe that is read from.
struct Receiving {
    from: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Receiving {
    fn new(from: Receiver<Vec<u8>>) -> Self {
        Receiving { from, piece: Vec::new(), at: 0 }
    }
}

impl Read for Receiving {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            // The writer has ended: so does the document.
            let Ok(piece) = self.from.recv() else { return Ok(0) };
            (self.piece, self.at) = (piece, 0);
        }
        let n = to.len().min(self.piece.len() - self.at);
        to[..n].copy_from_slice(&self.piece[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
