use crate::{DatabaseStatus, Json, Text};
use clap::Args;
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use super::exit::{Exit, Result};
use super::json::{Object, array};
use super::options::Options;
use super::output::Output;
use super::table::{Column, Table};

/// Show sizes, versions and row counts of the store
#[derive(Args)]
pub struct Status {}

impl Status {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let status = options.open()?.status()?;
        if out.is_json() {
            let databases = array(status.databases.iter().map(document));
            out.json(
                &Object::new().put("version", json!(status.version)).put("databases", databases).done(),
            )?;
            return Ok(Exit::Done);
        }
        out.line(format_args!("openwa-store {}", status.version))?;
        for database in &status.databases {
            out.line(format_args!(
                "\n{}: {} ({}), {} and {} of log, schema version {}",
                database.database.name(),
                database.path,
                database.engine,
                HumanBytes(database.bytes),
                HumanBytes(database.wal_bytes),
                version(database),
            ))?;
            let mut table = Table::new(&[Column::Left("TABLE"), Column::Right("ROWS")]);
            for (name, rows) in &database.rows {
                table.row([(*name).to_owned(), HumanCount(*rows).to_string()]);
            }
            out.table(&table)?;
        }
        Ok(Exit::Done)
    }
}

fn version(database: &DatabaseStatus) -> i64 {
    database.steps.iter().filter(|s| s.applied_at.is_some()).map(|s| s.version).max().unwrap_or(0)
}

fn document(database: &DatabaseStatus) -> Json {
    let rows = database.rows.iter().fold(Object::new(), |o, (name, rows)| o.put(name, json!(rows)));
    Object::new()
        .put("database", json!(database.database.name()))
        .put("path", json!(Text::from(&database.path).as_stored()))
        .put("engine", json!(database.engine))
        .put("bytes", json!(database.bytes))
        .put("wal_bytes", json!(database.wal_bytes))
        .put("schema_version", json!(version(database)))
        .put("rows", rows.done())
        .done()
}
