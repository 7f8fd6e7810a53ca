//! Reading a document into the store.
//!
//! Everything happens in one transaction per database, on the writer's own connection. When all rows are in,
//! the counts, the checksum and all references are right, Data is committed and then Main. Only a failure of
//! that very last commit (a full disk, a power cut) can leave Data imported and Main as it was; the error then
//! says so, and importing again is safe.

use std::io::Read;

use super::document::Document;
use super::load::{Load, check_left_alone, clear};
use super::{
    ImportOptions, ImportReport, ImportedTable, Missing, Mode, OnProgress, Progress, compress, report,
};
use crate::db::{Bulk, SqliteConn};
use crate::entity::{Database, Table, tables_of};
use crate::error::{Error, Kind, Result};
use crate::store::Store;

/// Reads a document into the store.
pub(crate) fn import(
    store: &Store,
    from: &mut dyn Read,
    options: &ImportOptions,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    if options.mode == Mode::Merge && options.missing == Missing::Clear {
        let text = "a merge keeps what is there, so it cannot clear what is missing";
        return Err(Error::invalid("missing", text));
    }
    let mut document = Document::open(compress::open(from)?)?;
    // Tables of Main come first: without one, the writer of Main need not wait for us.
    let first = document.next_table()?;
    let (main, data) = (store.database(Database::Main).writer()?, store.database(Database::Data).writer()?);
    let run = |main: Option<&SqliteConn>| {
        data.with_conn(|data| Import { main, data, options, progress }.run(document, first))
    };
    match first {
        Some(table) if table.database == Database::Main => main.with_conn(|main| run(Some(main))),
        _ => run(None),
    }
}

struct Import<'a, 'p> {
    /// There when the document has tables of Main.
    main: Option<&'a SqliteConn>,
    data: &'a SqliteConn,
    options: &'a ImportOptions,
    progress: OnProgress<'p>,
}

impl Import<'_, '_> {
    fn run(mut self, mut document: Document<'_>, first: Option<&'static Table>) -> Result<ImportReport> {
        let main = self.main.map(Bulk::begin).transpose()?;
        let mut data = None;
        let mut tables = Vec::new();
        let mut next = first;
        while let Some(table) = next {
            let bulk = match table.database {
                Database::Main => main.as_ref(),
                Database::Data => {
                    if data.is_none() {
                        data = Some(Bulk::begin(self.data)?);
                    }
                    data.as_ref()
                }
            };
            let bulk =
                bulk.ok_or_else(|| Error::new(Kind::Internal, "a table of Main behind one of Data"))?;
            tables.push(self.table(&mut document, bulk, table)?);
            next = document.next_table()?;
        }
        let counts: Vec<_> = tables.iter().map(|t| (t.table, t.rows)).collect();
        let (exported_at, redacted) = (document.exported_at, std::mem::take(&mut document.redacted));
        document.finish(&counts)?;
        for (bulk, database) in [(&main, Database::Main), (&data, Database::Data)] {
            if let Some(bulk) = bulk {
                self.rest(bulk, database, &mut tables)?;
            }
        }
        if !self.options.dry_run {
            data.map_or(Ok(()), Bulk::commit)?;
            main.map_or(Ok(()), Bulk::commit).map_err(|e| e.with("imported", "data, but not main"))?;
        }
        Ok(ImportReport { exported_at, dry_run: self.options.dry_run, tables, redacted })
    }

    /// Reads the rows of one table.
    fn table(
        &mut self,
        document: &mut Document<'_>,
        bulk: &Bulk<'_>,
        table: &'static Table,
    ) -> Result<ImportedTable> {
        let mut load = Load::start(bulk, table, self.options.mode)?;
        let tell = |rows, progress: &mut OnProgress<'_>, always| {
            report(progress, Progress { table: table.name, rows, total: None }, always)
        };
        tell(0, &mut self.progress, true)?;
        loop {
            let at = |e: Error| e.with("table", table.name).with("row", load.done.rows + 1);
            let Some(row) = document.next_row().map_err(at)? else { break };
            load.row(row)?;
            tell(load.done.rows, &mut self.progress, false)?;
        }
        tell(load.done.rows, &mut self.progress, true)?;
        load.finish()
    }

    /// Sees to the tables that the document does not have.
    fn rest(&self, bulk: &Bulk<'_>, database: Database, tables: &mut Vec<ImportedTable>) -> Result<()> {
        if self.options.mode == Mode::Merge {
            return Ok(());
        }
        if self.options.missing == Missing::Clear {
            for table in tables_of(database) {
                if !tables.iter().any(|t| t.table == table.name) {
                    let removed = clear(bulk.conn(), table)?;
                    tables.push(ImportedTable { table: table.name, rows: 0, inserted: 0, removed });
                }
            }
        }
        check_left_alone(bulk, database, tables)
    }
}
