//! Export and import.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use super::exit::{Exit, Failure, Result};
use super::json::{Object, array};
use super::meter::metered;
use super::options::Options;
use super::output::Output;
use super::table::{Column, Table};
use crate::{
    ExportOptions, ExportReport, ImportOptions, ImportReport, Missing, Mode, OpenwaExportReport, Text,
};

/// Write the store as one JSON document
///
/// The document is taken from one moment while others go on writing, and holds secrets (credentials, webhook
/// secrets, key hashes) unless --redact is given. The file is readable by its owner only, and takes its place only
/// when it is complete.
#[derive(Args)]
pub struct Export {
    /// Where to; compressed if the name ends in .zst
    file: PathBuf,

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
/// The store is made if it is missing. Counts, checksum, references and every value are checked first.
#[derive(Args)]
pub struct Import {
    /// The document, plain or compressed
    file: PathBuf,

    /// Keep the rows that are there and add those that are new [default: replace the tables of the document]
    #[arg(long)]
    merge: bool,

    /// Empty the tables that the document does not have
    #[arg(long, conflicts_with = "merge")]
    clear_missing: bool,

    /// Only say what an import would do
    #[arg(long)]
    dry_run: bool,
}

impl Export {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        if self.format == Format::Openwa {
            let report = metered("export", |tell| store.export_openwa_file(&self.file, Some(tell)))?;
            return way_back(&self.file, &report, out);
        }
        let what = ExportOptions {
            main: self.main,
            tables: (!self.tables.is_empty()).then(|| self.tables.clone()),
            redact: self.redact,
            ..ExportOptions::default()
        };
        let report = metered("export", |tell| store.export_file(&self.file, &what, Some(tell)))?;
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
            self.file.display(),
            HumanBytes(report.bytes),
            report.sha256
        ))?;
        left_out(&report.redacted, out)?;
        Ok(Exit::Done)
    }
}

impl Import {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        if !self.file.exists() {
            return Err(Failure::not_found(format!("there is no file {}", self.file.display()), ""));
        }
        let store = options.open()?;
        let how = ImportOptions {
            mode: if self.merge { Mode::Merge } else { Mode::Replace },
            missing: if self.clear_missing { Missing::Clear } else { Missing::Keep },
            dry_run: self.dry_run,
        };
        let report = metered("import", |tell| store.import_file(&self.file, &how, Some(tell)))?;
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
        report.notes.iter().try_for_each(|note| out.line(format_args!("note: {note}")))?;
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
    let (path, size) = (file.display(), HumanBytes(report.bytes));
    out.line(format_args!("\nWritten to {path}: {size}. OpenWA reads it with POST /api/infra/import-data."))?;
    for (table, rows) in &report.left_out {
        out.line(format_args!(
            "Left out, OpenWA's exports have no place for it: {table}, {}",
            HumanCount(*rows)
        ))?;
    }
    Ok(Exit::Done)
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
        .put("notes", array(report.notes.iter().map(|n| json!(Text::from(n.as_str()).as_stored()).into())))
        .done()
}
