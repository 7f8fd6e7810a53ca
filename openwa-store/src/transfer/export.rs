//! Writing a document.

use std::io::Write;
use std::sync::Mutex;

use sha2::{Digest, Sha256};

use super::migrate::{Summing, Sums};
use super::render::Renderer;
use super::scan::hex;
use super::{
    ExportOptions, ExportReport, FORMAT, MAX_ROW_BYTES, OnProgress, Progress, VERSION, compress, report,
};
use crate::db::{Conn, Flow, lock};
use crate::entity::{ColumnDef, Database, Sealing, TABLES, Table};
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use crate::value::{ColumnKind, Row};

/// Bytes that are collected before they are written.
const CHUNK: usize = 64 << 10;

/// Writes the tables that `options` ask for.
pub(crate) fn export(
    store: &Store,
    to: &mut dyn Write,
    options: &ExportOptions,
    progress: OnProgress<'_>,
) -> Result<ExportReport> {
    run(store, to, options, None, progress)
}

/// Like [`export`], and notes number and checksum of each table's rows.
pub(super) fn export_summed(
    store: &Store,
    to: &mut dyn Write,
    options: &ExportOptions,
    sums: &Mutex<Sums>,
) -> Result<ExportReport> {
    run(store, to, options, Some(sums), None)
}

fn run(
    store: &Store,
    to: &mut dyn Write,
    options: &ExportOptions,
    sums: Option<&Mutex<Sums>>,
    mut progress: OnProgress<'_>,
) -> Result<ExportReport> {
    let plan = Plan { sums, ..Plan::new(options)? };
    let mut write = |to: &mut dyn Write| {
        let mut sink = Sink::new(to);
        // Each database is read as of one moment; that of Data comes first.
        let report = store.database(Database::Data).snapshot(|data| {
            if plan.tables.iter().any(|(t, _)| t.database == Database::Main) {
                let main = store.database(Database::Main);
                main.snapshot(|main| document(store, &plan, Some(main), data, &mut sink, &mut progress))
            } else {
                document(store, &plan, None, data, &mut sink, &mut progress)
            }
        })?;
        sink.flush()?;
        Ok(report)
    };
    if !options.compress {
        return write(to);
    }
    let mut encoder = zstd::Encoder::new(to, compress::LEVEL)?;
    encoder.include_checksum(true)?;
    let report = write(&mut encoder)?;
    encoder.finish()?.flush()?;
    Ok(report)
}

/// What is written of which table.
struct Plan<'a> {
    /// The tables, and what stands in place of the values of their columns.
    tables: Vec<(&'static Table, Vec<Option<&'static str>>)>,
    /// What is left out.
    redacted: Vec<String>,
    /// Where number and checksum of each table's rows are noted.
    sums: Option<&'a Mutex<Sums>>,
}

impl Plan<'_> {
    fn new(options: &ExportOptions) -> Result<Self> {
        let wanted = options.tables.as_deref();
        if let Some(unknown) = wanted.into_iter().flatten().find(|n| !TABLES.iter().any(|t| t.name == **n)) {
            return Err(Error::invalid("tables", format!("there is no table {unknown:?}")));
        }
        let chosen = |table: &Table| match wanted {
            Some(names) => names.iter().any(|n| n == table.name),
            None => options.main || table.database == Database::Data,
        };
        let mut plan = Plan { tables: Vec::new(), redacted: Vec::new(), sums: None };
        let mut left_out: Vec<&str> = Vec::new();
        for table in TABLES.iter().copied() {
            let instead = if options.redact {
                redaction(table, &left_out)
            } else {
                Some(vec![None; table.columns.len()])
            };
            let Some(instead) = instead else {
                left_out.push(table.name);
                if chosen(table) {
                    plan.redacted.push(table.name.to_owned());
                }
                continue;
            };
            if chosen(table) {
                let columns = table.columns.iter().zip(&instead).filter(|(_, instead)| instead.is_some());
                plan.redacted.extend(columns.map(|(column, _)| format!("{}.{}", table.name, column.name)));
                plan.tables.push((table, instead));
            }
        }
        Ok(plan)
    }
}

/// What stands in place of a table's secrets, and of references to tables that are left out. `None`: something
/// that may not be null has no harmless value, so the table is left out too.
fn redaction(table: &Table, left_out: &[&str]) -> Option<Vec<Option<&'static str>>> {
    let instead = |column: &ColumnDef| {
        let lost = table.references.iter().any(|(c, parent)| *c == column.name && left_out.contains(parent));
        match column.kind {
            _ if !column.secret && !lost => Some(None),
            _ if column.nullable => Some(Some("")),
            ColumnKind::Json => Some(Some("{}")),
            _ => None,
        }
    };
    table.columns.iter().map(instead).collect()
}

fn document(
    store: &Store,
    plan: &Plan<'_>,
    main: Option<&dyn Conn>,
    data: &dyn Conn,
    sink: &mut Sink<'_>,
    progress: &mut OnProgress<'_>,
) -> Result<ExportReport> {
    let exported_at = store.env().now();
    let engine = data.dialect().name();
    let redacted = serde_json::Value::from(plan.redacted.clone());
    sink.text(&format!(
        r#"{{"format":"{FORMAT}","version":{VERSION},"exportedAt":"{exported_at}","dataDbType":"{engine}","redacted":{redacted},"tables":"#
    ));
    sink.start_hash()?;
    sink.text("{");
    let mut tables = Vec::with_capacity(plan.tables.len());
    for (i, (table, instead)) in plan.tables.iter().enumerate() {
        sink.text(&format!("{}\n\"{}\":[", if i == 0 { "" } else { "," }, table.name));
        let conn = match table.database {
            Database::Main => main.unwrap_or(data),
            Database::Data => data,
        };
        let mut summing = plan.sums.map(|_| Summing::default());
        let renderer = Renderer::replacing(table, instead.clone());
        let needs_key = table
            .columns
            .iter()
            .zip(instead)
            .any(|(c, instead)| c.sealing != Sealing::None && instead.is_none());
        let read = Read { conn, table, needs_key };
        let rows = write_table(read, renderer, sink, summing.as_mut(), progress)?;
        if let (Some(sums), Some(summing)) = (plan.sums, summing) {
            lock(sums).insert(table.name, summing.done());
        }
        sink.text(if rows == 0 { "]" } else { "\n]" });
        tables.push((table.name, rows));
    }
    sink.text("\n}");
    let sha256 = sink.take_hash()?;
    let counts: serde_json::Map<_, _> = tables.iter().map(|(t, n)| ((*t).to_owned(), (*n).into())).collect();
    sink.text(&format!(",\"counts\":{},\"sha256\":\"{sha256}\"}}\n", serde_json::Value::from(counts)));
    sink.pass_on()?;
    let redacted = plan.redacted.clone();
    Ok(ExportReport { exported_at, tables, redacted, sha256, bytes: sink.written })
}

/// The rows of a table, which take the key only if something sealed is written.
struct Read<'a> {
    conn: &'a dyn Conn,
    table: &'static Table,
    needs_key: bool,
}

fn write_table(
    Read { conn, table, needs_key }: Read<'_>,
    mut renderer: Renderer,
    sink: &mut Sink<'_>,
    mut summing: Option<&mut Summing>,
    progress: &mut OnProgress<'_>,
) -> Result<u64> {
    let total = match progress {
        Some(_) => u64::try_from(conn.integer(&format!("SELECT count(*) FROM {}", table.name), &[])?).ok(),
        None => None,
    };
    let mut rows = 0;
    report(progress, Progress { table: table.name, rows, total }, true)?;
    let sql = format!("SELECT {} FROM {} ORDER BY {}", table.column_list(), table.name, table.key.join(", "));
    let mut write = |row: &dyn Row| {
        sink.buffer.extend_from_slice(if rows == 0 { b"\n" } else { b",\n" });
        let start = sink.buffer.len();
        renderer.row(row, &mut sink.buffer)?;
        if let Some(summing) = &mut summing {
            summing.row(&sink.buffer[start..]);
        }
        if sink.buffer.len() - start > MAX_ROW_BYTES {
            let text = format!("a row takes more than {MAX_ROW_BYTES} bytes, which could not be imported");
            return Err(Error::new(Kind::Unsupported, text).with("table", table.name).with("row", rows + 1));
        }
        if sink.buffer.len() >= CHUNK {
            sink.pass_on()?;
        }
        rows += 1;
        report(progress, Progress { table: table.name, rows, total }, false)?;
        Ok(Flow::Continue(()))
    };
    if needs_key {
        conn.query_opened(table, &sql, &[], &mut write)
    } else {
        conn.query(&sql, &[], &mut write)
    }?;
    report(progress, Progress { table: table.name, rows, total }, true)?;
    Ok(rows)
}

/// Collects what is written, and takes its checksum.
struct Sink<'w> {
    to: &'w mut dyn Write,
    buffer: Vec<u8>,
    hash: Option<Sha256>,
    written: u64,
}

impl<'w> Sink<'w> {
    fn new(to: &'w mut dyn Write) -> Self {
        Sink { to, buffer: Vec::with_capacity(2 * CHUNK), hash: None, written: 0 }
    }

    fn text(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// Starts a checksum with what is written from here on.
    fn start_hash(&mut self) -> Result<()> {
        self.pass_on()?;
        self.hash = Some(Sha256::new());
        Ok(())
    }

    /// The checksum of what was written since.
    fn take_hash(&mut self) -> Result<String> {
        self.pass_on()?;
        Ok(hex(self.hash.take().unwrap_or_default()))
    }

    fn pass_on(&mut self) -> Result<()> {
        if let Some(hash) = &mut self.hash {
            hash.update(&self.buffer);
        }
        self.to.write_all(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(self.to.flush()?)
    }
}
