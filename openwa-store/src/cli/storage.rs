//! Indexes and monthly tables.

use clap::Args;
use console::style;
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use super::exit::{Exit, Result};
use super::json::{Object, array};
use super::meter::metered;
use super::options::Options;
use super::output::Output;
use super::table::{Column, Table};

#[derive(Args)]
pub struct Indexes {
    /// Only those that cost writes and are hardly ever used
    #[arg(long)]
    unused: bool,
}

#[derive(Args)]
pub struct Reindex {
    /// Only this table [default: all]
    table: Option<String>,
}

#[derive(Args)]
pub struct Partitions {
    /// Make those of this month and the next three, and move rows that wait in the default partition
    #[arg(long)]
    make: bool,
}

impl Indexes {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let mut indexes = options.open()?.indexes()?;
        indexes.retain(|index| !self.unused || index.is_unused());
        if out.is_json() {
            let documents = indexes.iter().map(|i| {
                Object::new()
                    .put("database", json!(i.database))
                    .put("table", json!(i.table))
                    .put("name", json!(i.name))
                    .put("bytes", json!(i.bytes))
                    .put("scans", json!(i.scans))
                    .put("unique", json!(i.unique))
                    .put("valid", json!(i.valid))
                    .put("unused", json!(i.is_unused()))
                    .done()
            });
            out.json(&array(documents))?;
            return Ok(Exit::Done);
        }
        // SQLite does not count uses.
        let counted = indexes.iter().any(|i| i.scans.is_some());
        let mut table = Table::new(if counted { COUNTED } else { UNCOUNTED });
        for i in &indexes {
            let size = HumanBytes(i.bytes).to_string();
            let note = match (i.valid, i.is_unused(), i.unique) {
                (false, ..) => "not valid: `openwa db reindex`",
                (true, true, _) => "unused",
                (true, false, true) => "unique",
                (true, false, false) => "",
            }
            .to_owned();
            if counted {
                let uses = i.scans.map_or_else(|| "-".to_owned(), |n| HumanCount(n).to_string());
                table.row([i.table.clone(), i.name.clone(), size, uses, note]);
            } else {
                table.row([i.table.clone(), i.name.clone(), size, note]);
            }
        }
        out.table(&table)?;
        let bytes = HumanBytes(indexes.iter().map(|i| i.bytes).sum());
        out.line(style(format!("{} indexes, {bytes}", indexes.len())).dim())?;
        Ok(Exit::Done)
    }
}

const UNCOUNTED: &[Column] =
    &[Column::Left("TABLE"), Column::Left("INDEX"), Column::Right("SIZE"), Column::Left("")];
const COUNTED: &[Column] = &[
    Column::Left("TABLE"),
    Column::Left("INDEX"),
    Column::Right("SIZE"),
    Column::Right("USES"),
    Column::Left(""),
];

impl Reindex {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        let rebuilt = metered("reindex", |tell| store.reindex(self.table.as_deref(), Some(tell)))?;
        if out.is_json() {
            out.json(&Object::new().put("rebuilt", json!(rebuilt)).done())?;
        } else {
            out.line(format_args!("{rebuilt} indexes rebuilt"))?;
        }
        Ok(Exit::Done)
    }
}

impl Partitions {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        if self.make {
            store.make_partitions()?;
        }
        let partitions = store.partitions()?;
        if out.is_json() {
            let documents = partitions.iter().map(|p| {
                Object::new()
                    .put("name", json!(p.name))
                    .put("since", json!(p.since.map(|t| t.to_string())))
                    .put("until", json!(p.until.map(|t| t.to_string())))
                    .put("rows", json!(p.rows))
                    .put("bytes", json!(p.bytes))
                    .done()
            });
            out.json(&array(documents))?;
            return Ok(Exit::Done);
        }
        if partitions.is_empty() {
            out.line("`messages` is one table: SQLite, or PostgreSQL without partitions.")?;
            return Ok(Exit::Done);
        }
        let mut table =
            Table::new(&[Column::Left("PARTITION"), Column::Right("ROWS, ABOUT"), Column::Right("SIZE")]);
        for p in &partitions {
            let rows = p.rows.map_or_else(|| "-".to_owned(), |n| HumanCount(n).to_string());
            table.row([p.name.clone(), rows, HumanBytes(p.bytes).to_string()]);
        }
        out.table(&table)?;
        Ok(Exit::Done)
    }
}
