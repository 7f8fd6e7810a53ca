//! Export and import.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use super::exit::{Exit, Failure, Result};
use super::input;
use super::json::{Object, array};
use super::meter::metered;
use super::options::Options;
use super::output::Output;
use super::signals;
use super::table::{Column, Table};
use super::target::Target;
use crate::{
    ExportOptions, ExportReport, ImportOptions, ImportReport, Missing, Mode, OpenwaExportReport, Store, Text,
};

/// Write the store as one JSON document
///
/// The document is taken from one moment while others go on writing, and holds secrets (credentials, webhook
/// secrets, key hashes) unless --redact is given. The file is readable by its owner only, and takes its place only
/// when it is complete.
#[derive(Args)]
pub struct Export {
    /// Where to, - for standard output; compressed if the name ends in .zst
    file: PathBuf,

    /// Replace a file that is there already; never one of the store itself
    #[arg(long)]
    force: bool,

    /// Also API keys, their logs and the audit trail
    #[arg(long)]
    main: bool,

    /// Only this table; again for more
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,

    /// Leave out everything secret; such a document cannot restore a gateway whole
    #[arg(long)]
    redact: bool,

    /// Which program shall read it: this one, or OpenWA, to go back to it
    #[arg(long, value_enum, default_value_t = Format::Store, conflicts_with_all = ["main", "tables", "redact"])]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Store,
    Openwa,
}

/// Read an exported document into the store, all of it or nothing
///
/// A store that has rows wants --replace or --merge. Counts, checksum, references and every value are checked first.
#[derive(Args)]
pub struct Import {
    /// The document, plain or compressed; - for standard input
    file: PathBuf,

    /// Empty each table that the document has, then put the rows of the document into it
    #[arg(long)]
    replace: bool,

    /// Keep the rows that are there and add those that are new
    #[arg(long, conflicts_with = "replace")]
    merge: bool,

    /// Also empty the tables that the document does not have
    #[arg(long, conflicts_with = "merge")]
    clear_missing: bool,

    /// Only say what an import would do
    #[arg(long)]
    dry_run: bool,
}

impl Export {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let (config, others) = (options.store_config()?, options.files()?);
        let mut target = Target::at(&self.file, self.force, &config, &others)?;
        let store = Options::open_existing(config)?;
        signals::remove_temporaries();
        let mut beside;
        let out = match &target {
            Target::Stream { is_output: true, .. } => {
                beside = out.beside();
                &mut beside
            }
            _ => out,
        };
        if self.format == Format::Openwa {
            let report = metered("export", |tell| match &target {
                Target::File(file) => store.export_openwa_file(file, Some(tell)),
                Target::Stream { .. } => store.export_openwa(&mut target, Some(tell)),
            })?;
            return way_back(&self.file, &report, out);
        }
        let what = ExportOptions {
            main: self.main,
            tables: (!self.tables.is_empty()).then(|| self.tables.clone()),
            redact: self.redact,
            ..ExportOptions::default()
        };
        let report = metered("export", |tell| match &target {
            Target::File(file) => store.export_file(file, &what, Some(tell)),
            Target::Stream { .. } => store.export(&mut target, &what, Some(tell)),
        })?;
        if out.is_json() {
            out.json(&export_document(&self.file, &report))?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new(&[Column::Left("TABLE"), Column::Right("ROWS")]);
        for (name, rows) in &report.tables {
            table.row([(*name).to_owned(), HumanCount(*rows).to_string()]);
        }
        out.table(&table)?;
        out.line(format_args!(
            "\nWritten to {}: {} of JSON, SHA-256 of its tables {}",
            shown(&self.file),
            HumanBytes(report.bytes),
            report.sha256
        ))?;
        left_out(&report.redacted, out)?;
        Ok(Exit::Done)
    }
}

/// Fails for a store that has rows, and says what they are in for.
fn refuse_rows(store: &Store) -> Result<()> {
    let status = store.status()?;
    let tables =
        status.databases.iter().flat_map(|d| &d.rows).filter(|(name, _)| !name.starts_with("openwa_"));
    let rows: u64 = tables.map(|(_, rows)| rows).sum();
    if rows == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        format!("the store has {} rows already, and nothing says what becomes of them", HumanCount(rows)),
        "--replace empties each table that the document has before its rows go in; --merge keeps the rows that are there \
         and adds those that are new; --dry-run tells the numbers",
    ))
}

impl Import {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let document = input::open(&self.file)?;
        let store = options.open()?;
        if !(self.replace || self.merge || self.dry_run) {
            refuse_rows(&store)?;
        }
        let how = ImportOptions {
            mode: if self.merge { Mode::Merge } else { Mode::Replace },
            missing: if self.clear_missing { Missing::Clear } else { Missing::Keep },
            dry_run: self.dry_run,
        };
        let report = metered("import", |tell| store.import(document, &how, Some(tell)))
            .map_err(|e| e.with("path", self.file.display()))?;
        store.close()?;
        if out.is_json() {
            out.json(&import_document(&report))?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new(&[
            Column::Left("TABLE"),
            Column::Right("IN FILE"),
            Column::Right("ADDED"),
            Column::Right("REMOVED BEFORE"),
        ]);
        for t in &report.tables {
            let count = |n| HumanCount(n).to_string();
            table.row([t.table.to_owned(), count(t.rows), count(t.inserted), count(t.removed)]);
        }
        out.table(&table)?;
        let done = if report.dry_run { "Nothing was changed: this was a dry run" } else { "Imported" };
        out.line(format_args!("\n{done}. The document is of {}.", report.exported_at))?;
        left_out(&report.redacted, out)?;
        Ok(Exit::Done)
    }
}

/// Tells what was written for OpenWA.
fn way_back(file: &Path, report: &OpenwaExportReport, out: &mut Output) -> Result<Exit> {
    if out.is_json() {
        let counts = |rows: &mut dyn Iterator<Item = (&str, u64)>| {
            rows.fold(Object::new(), |o, (name, n)| o.put(name, json!(n))).done()
        };
        let document = Object::new()
            .put("file", json!(Text::from(file.display().to_string()).as_stored()))
            .put("tables", counts(&mut report.tables.iter().map(|t| (t.table.as_str(), t.rows))))
            .put("left_out", counts(&mut report.left_out.iter().copied()))
            .put("bytes", json!(report.bytes));
        out.json(&document.done())?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[Column::Left("TABLE"), Column::Right("ROWS")]);
    for t in &report.tables {
        table.row([t.table.clone(), HumanCount(t.rows).to_string()]);
    }
    out.table(&table)?;
    let (path, size) = (shown(file), HumanBytes(report.bytes));
    out.line(format_args!("\nWritten to {path}: {size}. OpenWA reads it with POST /api/infra/import-data."))?;
    for (table, rows) in &report.left_out {
        out.line(format_args!(
            "Left out, OpenWA's exports have no place for it: {table}, {}",
            HumanCount(*rows)
        ))?;
    }
    Ok(Exit::Done)
}

fn shown(file: &Path) -> String {
    if input::is_standard(file) { "standard output".to_owned() } else { file.display().to_string() }
}

fn left_out(redacted: &[String], out: &mut Output) -> Result<()> {
    if !redacted.is_empty() {
        out.line(format_args!("Left out because it is secret: {}", redacted.join(", ")))?;
    }
    Ok(())
}

fn export_document(file: &Path, report: &ExportReport) -> crate::Json {
    let tables = report.tables.iter().fold(Object::new(), |o, (name, rows)| o.put(name, json!(rows)));
    Object::new()
        .put("file", json!(Text::from(file.display().to_string()).as_stored()))
        .put("exported_at", json!(report.exported_at.to_string()))
        .put("tables", tables.done())
        .put("redacted", json!(report.redacted))
        .put("bytes", json!(report.bytes))
        .put("sha256", json!(report.sha256))
        .done()
}

fn import_document(report: &ImportReport) -> crate::Json {
    let tables = report.tables.iter().map(|t| {
        Object::new()
            .put("table", json!(t.table))
            .put("rows", json!(t.rows))
            .put("inserted", json!(t.inserted))
            .put("removed", json!(t.removed))
            .done()
    });
    Object::new()
        .put("exported_at", json!(report.exported_at.to_string()))
        .put("dry_run", json!(report.dry_run))
        .put("tables", array(tables))
        .put("redacted", json!(report.redacted))
        .done()
}
