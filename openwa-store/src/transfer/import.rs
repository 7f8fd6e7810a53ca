//! Reading a document into the store.
//!
//! Everything happens in one transaction per database, on the writer's own connection. When all rows are in,
//! the counts, the checksum and all references are right, Data is committed and then Main. What ends between
//! the two is finished by the next opening; see [`journal`](super::journal).

use std::io::Read;

use super::document::Document;
use super::journal::{self, Journal, Sealed};
use super::load::{Load, check_left_alone};
use super::{
    ImportOptions, ImportReport, ImportedTable, Missing, Mode, OnProgress, Progress, compress, report,
};
use crate::db::{Bulk, Conn};
use crate::entity::{Database, Table, tables_of};
use crate::error::{Error, Kind, Result};
use crate::repo::retention::{self, MovedBy, MovedIn, Moving};
use crate::store::Store;
use crate::time::Timestamp;

/// How and from where rows move in.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) by: MovedBy,
    pub(crate) source: &'a str,
}

/// Looks at a table as it will be, before anything is kept.
pub(super) type Verify<'a> = &'a dyn Fn(&'static Table, &dyn Conn) -> Result<()>;

/// Reads a document into the store.
pub(crate) fn import(
    store: &Store,
    from: &mut dyn Read,
    options: &ImportOptions,
    origin: Origin<'_>,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    import_verified(store, from, options, origin, &|_, _| Ok(()), progress)
}

/// Reads a document into the store, and has each of its tables looked at before it is kept.
pub(super) fn import_verified(
    store: &Store,
    from: &mut dyn Read,
    options: &ImportOptions,
    origin: Origin<'_>,
    verify: Verify<'_>,
    progress: OnProgress<'_>,
) -> Result<ImportReport> {
    if options.mode == Mode::Merge && options.missing == Missing::Clear {
        let text = "a merge keeps what is there, so it cannot clear what is missing";
        return Err(Error::invalid("missing", text));
    }
    let mut document = Document::open(compress::open(from)?)?;
    // Tables of Main come first: without one, the writer of Main need not wait for us.
    let first = document.next_table()?;
    let (main, data) = (store.database(Database::Main), store.database(Database::Data));
    let now = store.env().now();
    let options = *options;
    let done = match first {
        Some(table) if table.database == Database::Main => journaled(store, &options, |journal| {
            main.bulk(|main| {
                data.bulk(|data| {
                    let main: Option<&mut dyn Bulk> = Some(main);
                    Import { main, data, options, origin, verify, progress, journal, now }
                        .run(document, first)
                })
            })
        }),
        _ => data.bulk(|data| {
            Import { main: None, data, options, origin, verify, progress, journal: None, now }
                .run(document, first)
        }),
    };
    store.env().forget_taken_over();
    done
}

/// An import into both databases, and what has to be done when it ends between their commits.
fn journaled<T>(
    store: &Store,
    options: &ImportOptions,
    import: impl FnOnce(Option<Journal>) -> Result<T>,
) -> Result<T> {
    if options.dry_run {
        return import(None);
    }
    let _turn = journal::turn(store)?;
    journal::finish_own(store)?;
    let done = import(Journal::start(store, options)?);
    let finished = journal::finish_own(store);
    done.map_err(|e| match finished {
        Ok(false) => e,
        Ok(true) => e.adding("it was finished nevertheless, both databases have it"),
        Err(_) => e.adding("what is left of it is finished, or removed, by the next opening of the store"),
    })
}

/// Takes the rows of Main that an import has left behind.
pub(super) fn take_main(
    store: &Store,
    from: &mut dyn Read,
    options: &ImportOptions,
    sealed: &Sealed,
) -> Result<()> {
    let mut document = Document::open(compress::open(from)?)?;
    let first = document.next_table()?;
    let now = store.env().now();
    let (main, data) = (store.database(Database::Main), store.database(Database::Data));
    main.bulk(|main| {
        data.bulk(|data| {
            let (options, verify) =
                (ImportOptions { dry_run: true, ..*options }, &|_: &'static Table, _: &dyn Conn| Ok(()));
            let main: &mut dyn Bulk = main;
            // The rows of Data, and with them the note of what moved in, are there already.
            let origin = Origin { by: MovedBy::Import, source: "" };
            Import {
                main: Some(&mut *main),
                data,
                options,
                origin,
                verify,
                progress: None,
                journal: None,
                now,
            }
            .run(document, first)?;
            sealed.note_in_main(main.conn()?, now)?;
            main.commit()
        })
    })
}

struct Import<'m, 'd, 'v, 'p, 'o> {
    /// There when the document has tables of Main.
    main: Option<&'m mut dyn Bulk>,
    data: &'d mut dyn Bulk,
    options: ImportOptions,
    origin: Origin<'o>,
    verify: Verify<'v>,
    progress: OnProgress<'p>,
    /// Keeps the rows of Main until both databases are committed.
    journal: Option<Journal>,
    now: Timestamp,
}

impl Import<'_, '_, '_, '_, '_> {
    fn run(mut self, mut document: Document<'_>, first: Option<&'static Table>) -> Result<ImportReport> {
        if let Some(main) = &mut self.main {
            main.begin()?;
        }
        let mut has_data = false;
        let mut tables = Vec::new();
        let mut moving = Moving::default();
        let mut next = first;
        while let Some(table) = next {
            let bulk: &mut dyn Bulk = match (table.database, &mut self.main) {
                (Database::Main, Some(main)) => &mut **main,
                (Database::Main, None) => {
                    return Err(Error::new(Kind::Internal, "a table of Main behind one of Data"));
                }
                (Database::Data, _) => {
                    if !has_data {
                        self.data.begin()?;
                    }
                    has_data = true;
                    &mut *self.data
                }
            };
            let journal = self.journal.as_mut().filter(|_| table.database == Database::Main);
            let (filled, messages) =
                fill(&mut document, bulk, table, self.options.mode, journal, &mut self.progress)?;
            tables.push(filled);
            if messages.oldest.is_some() {
                moving = messages;
            }
            next = document.next_table()?;
        }
        let counts: Vec<_> = tables.iter().map(|t| (t.table, t.rows)).collect();
        let (exported_at, redacted) = (document.exported_at, std::mem::take(&mut document.redacted));
        document.finish(&counts)?;
        if let Some(main) = &mut self.main {
            see_to_rest(&mut **main, Database::Main, &self.options, &mut tables)?;
            look_at(&mut **main, Database::Main, self.verify, &tables)?;
        }
        if has_data {
            see_to_rest(self.data, Database::Data, &self.options, &mut tables)?;
            look_at(self.data, Database::Data, self.verify, &tables)?;
        }
        let moved = moving.into(self.origin.by, self.origin.source, self.now);
        if !self.options.dry_run {
            let sealed = self.journal.filter(|_| has_data).map(Journal::seal).transpose()?;
            if has_data {
                if let Some(moved) = &moved {
                    retention::note_moved(self.data.conn()?, moved)?;
                }
                if let Some(sealed) = &sealed {
                    sealed.note_in_data(self.data.conn()?, self.now)?;
                }
                self.data.commit()?;
            }
            if let Some(main) = self.main {
                if let Some(sealed) = &sealed {
                    sealed.note_in_main(main.conn()?, self.now)?;
                }
                main.commit()?;
            }
        }
        let notes = moved.iter().filter_map(MovedIn::warning).collect();
        Ok(ImportReport { exported_at, dry_run: self.options.dry_run, tables, redacted, notes })
    }
}

/// Reads the rows of one table.
fn fill(
    document: &mut Document<'_>,
    bulk: &mut dyn Bulk,
    table: &'static Table,
    mode: Mode,
    mut journal: Option<&mut Journal>,
    progress: &mut OnProgress<'_>,
) -> Result<(ImportedTable, Moving)> {
    if let Some(journal) = &mut journal {
        journal.start_table(table)?;
    }
    let mut load = Load::start(bulk, table, mode)?;
    let tell = |rows, progress: &mut OnProgress<'_>, always| {
        report(progress, Progress { table: table.name, rows, total: None }, always)
    };
    tell(0, progress, true)?;
    loop {
        let at = |e: Error| e.with("table", table.name).with("row", load.done.rows + 1);
        let Some(row) = document.next_row().map_err(at)? else { break };
        load.row(row)?;
        if let Some(journal) = &mut journal {
            journal.row(row)?;
        }
        tell(load.done.rows, progress, false)?;
    }
    tell(load.done.rows, progress, true)?;
    if let Some(journal) = &mut journal {
        journal.end_table(table)?;
    }
    load.finish()
}

fn look_at(
    bulk: &mut dyn Bulk,
    database: Database,
    verify: Verify<'_>,
    tables: &[ImportedTable],
) -> Result<()> {
    bulk.settle()?;
    let read = tables_of(database).filter(|table| tables.iter().any(|t| t.table == table.name));
    read.into_iter().try_for_each(|table| verify(table, bulk.conn()?))
}

/// Sees to the tables that the document does not have.
fn see_to_rest(
    bulk: &mut dyn Bulk,
    database: Database,
    options: &ImportOptions,
    tables: &mut Vec<ImportedTable>,
) -> Result<()> {
    if options.mode == Mode::Merge {
        return Ok(());
    }
    if options.missing == Missing::Clear {
        for table in tables_of(database) {
            if !tables.iter().any(|t| t.table == table.name) {
                let removed = bulk.clear(table)?;
                tables.push(ImportedTable { table: table.name, rows: 0, inserted: 0, removed });
            }
        }
    }
    check_left_alone(bulk, database, tables)
}
