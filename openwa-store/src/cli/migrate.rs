//! From one engine to the other.

use std::path::Path;

use clap::Args;
use indicatif::HumanCount;
use serde_json::json;

use super::exit::{Exit, Failure, Result};
use super::json::{Object, array};
use super::meter::metered;
use super::options::{Options, opened};
use super::output::Output;
use super::table::{Column, Table};
use crate::{Config, DataDatabase, MigrateOptions, MigrateReport, Store};

/// Copy the rows of one store straight into another, whatever their engines
///
/// A place is a folder of a store, a SQLite file (*.sqlite), or a postgres:// URL. With a file or a URL the API keys and the
/// audit trail are those of --dir and stay where they are. Every table is read back and compared by number and checksum of
/// its rows before anything is kept; any failure leaves the target as it was. Stop the gateway first: what it writes
/// meanwhile is not copied.
#[derive(Args)]
pub struct Migrate {
    /// Where the rows are
    #[arg(long, value_name = "PLACE")]
    from: String,

    /// Where they go; made if it is missing
    #[arg(long, value_name = "PLACE")]
    to: String,

    /// Also API keys, their logs and the audit trail, from one folder to another
    #[arg(long)]
    main: bool,

    /// Replace the rows that the target has [default: a target that has rows is refused]
    #[arg(long)]
    replace: bool,
}

impl Migrate {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let (from, to) = (place(options, &self.from)?, place(options, &self.to)?);
        if from.data == to.data && from.data_path() == to.data_path() {
            return Err(Failure::usage("--from and --to name the same place", "give two places"));
        }
        if self.main && from.main_path() == to.main_path() {
            return Err(Failure::usage(
                "--main has nowhere to go: both places have the same Main database",
                "give two folders",
            ));
        }
        let from = Options::open_existing(from)?;
        let to = opened(|| Store::open_moving(to))?;
        let how = MigrateOptions { main: self.main, replace: self.replace };
        let report = metered("migrate", |tell| from.migrate_to(&to, &how, Some(tell)))?;
        to.close()?;
        show(&report, out)
    }
}

/// The store at a place.
fn place(options: &Options, text: &str) -> Result<Config> {
    let path = Path::new(text);
    let is_file = path.is_file() || path.extension().is_some_and(|e| e == "sqlite" || e == "db");
    if is_file || text.contains("://") {
        return Ok(Config { data: text.parse()?, ..options.store_config()? });
    }
    Ok(Config { data: DataDatabase::Sqlite, ..options.config_at(Some(path))? })
}

fn show(report: &MigrateReport, out: &mut Output) -> Result<Exit> {
    if out.is_json() {
        let tables = report.tables.iter().map(|t| {
            Object::new()
                .put("table", json!(t.table))
                .put("rows", json!(t.rows))
                .put("sha256", json!(t.sha256))
                .done()
        });
        out.json(&Object::new().put("tables", array(tables)).done())?;
        return Ok(Exit::Done);
    }
    let mut table =
        Table::new(&[Column::Left("TABLE"), Column::Right("ROWS"), Column::Left("SHA-256 OF BOTH")]);
    for t in &report.tables {
        table.row([t.table.to_owned(), HumanCount(t.rows).to_string(), t.sha256[..16].to_owned()]);
    }
    out.table(&table)?;
    let rows: u64 = report.tables.iter().map(|t| t.rows).sum();
    out.line(format_args!(
        "\n{} rows moved; source and target were compared and are the same.",
        HumanCount(rows)
    ))?;
    Ok(Exit::Done)
}
