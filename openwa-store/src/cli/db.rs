use crate::entity::Database;
use crate::{Applied, Config, Json, Kind, migrations};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::check::Check;
use super::compare::Compare;
use super::exit::{Exit, Failure, Result};
use super::json::{Object, array};
use super::options::Options;
use super::output::Output;
use super::storage::{Indexes, Partitions, Reindex};
use super::table::{Column, Table};
use super::vacuum::Vacuum;

/// Look after the databases: versions, migrations, checks, comparison
#[derive(Subcommand)]
pub enum Db {
    /// Show the steps of each schema and which are applied; changes nothing
    Status(Status),
    /// Bring the schema up: to the latest version, or to one
    Up(Up),
    /// Take the schema of one database down; what the dropped tables hold is lost
    Down(Down),
    Check(Check),
    Compare(Compare),
    /// Show every index with its size and how often it is used
    Indexes(Indexes),
    /// Rebuild indexes, which gives space back and mends those that are not valid
    Reindex(Reindex),
    Vacuum(Vacuum),
    /// Show the monthly tables of messages on PostgreSQL
    Partitions(Partitions),
}

#[derive(Args)]
pub struct Status {}

#[derive(Args)]
pub struct Up {
    /// Only this database [default: both]
    #[arg(long)]
    database: Option<Which>,

    /// Up to this version [default: the latest]
    #[arg(long, value_name = "VERSION", requires = "database")]
    to: Option<i64>,
}

#[derive(Args)]
pub struct Down {
    /// Which database
    #[arg(long)]
    database: Which,

    /// Down to this version; 0 drops everything
    #[arg(long, value_name = "VERSION")]
    to: i64,

    /// Yes, drop the data
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// API keys and the audit trail
    Main,
    /// Everything else
    Data,
}

impl From<Which> for Database {
    fn from(which: Which) -> Self {
        match which {
            Which::Main => Database::Main,
            Which::Data => Database::Data,
        }
    }
}

const BOTH: [Database; 2] = [Database::Main, Database::Data];

impl Db {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        match self {
            Db::Status(_) => status(&options.store_config()?, out),
            Db::Up(up) => up.run(&options.store_config()?, out),
            Db::Down(down) => down.run(&options.store_config()?, out),
            Db::Check(c) => c.run(options, out),
            Db::Compare(compare) => compare.run(options, out),
            Db::Indexes(c) => c.run(options, out),
            Db::Reindex(c) => c.run(options, out),
            Db::Vacuum(c) => c.run(options, out),
            Db::Partitions(c) => c.run(options, out),
        }
    }
}

/// The steps of a database; `None`: there is no such database.
fn steps(config: &Config, database: Database) -> Result<Option<Vec<Applied>>> {
    match migrations::status(config, database) {
        Ok(steps) => Ok(Some(steps)),
        Err(e) if e.kind() == Kind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn version(steps: &[Applied]) -> i64 {
    steps.iter().filter(|s| s.applied_at.is_some()).map(|s| s.version).max().unwrap_or(0)
}

fn status(config: &Config, out: &mut Output) -> Result<Exit> {
    let mut table = Table::new(&[
        Column::Left("DATABASE"),
        Column::Right("VERSION"),
        Column::Left("STEP"),
        Column::Left("APPLIED"),
    ]);
    let mut documents = Vec::new();
    let mut missing = 0;
    for database in BOTH {
        let steps = steps(config, database)?;
        documents.push(document(config, database, steps.as_deref()));
        let Some(steps) = steps else {
            missing += 1;
            table.row([database.name().into(), "-".into(), "-".into(), "there is no such file".into()]);
            continue;
        };
        for step in steps {
            let applied = step.applied_at.map_or_else(|| "not yet".to_owned(), |t| t.to_string());
            table.row([database.name().to_owned(), step.version.to_string(), step.name, applied]);
        }
    }
    if out.is_json() {
        out.json(&array(documents))?;
    } else {
        out.table(&table)?;
    }
    Ok(if missing > 0 { Exit::NotFound } else { Exit::Done })
}

fn document(config: &Config, database: Database, steps: Option<&[Applied]>) -> Json {
    let step = |s: &Applied| {
        Object::new()
            .put("version", json!(s.version))
            .put("name", json!(s.name))
            .put("applied_at", json!(s.applied_at.map(|t| t.to_string())))
            .done()
    };
    Object::new()
        .put("database", json!(database.name()))
        .put("exists", json!(steps.is_some()))
        .put("version", json!(steps.map(version)))
        .put("latest", json!(migrations::latest(config, database)))
        .put("steps", array(steps.unwrap_or_default().iter().map(step)))
        .done()
}

/// Says what a move did.
fn moved(database: Database, taken: usize, config: &Config, out: &mut Output) -> Result<()> {
    let now = version(&migrations::status(config, database)?);
    if out.is_json() {
        let whole = Object::new()
            .put("database", json!(database.name()))
            .put("steps_taken", json!(taken))
            .put("version", json!(now));
        out.json(&whole.done())?;
    } else {
        out.line(format_args!("{}: {taken} steps taken, at version {now}", database.name()))?;
    }
    Ok(())
}

impl Up {
    fn run(&self, config: &Config, out: &mut Output) -> Result<Exit> {
        let only = self.database.map(Database::from);
        for database in BOTH.into_iter().filter(|d| only.is_none_or(|only| only == *d)) {
            if let (Some(to), Some(steps)) = (self.to, steps(config, database)?)
                && to < version(&steps)
            {
                return Err(Failure::usage(
                    format!("the {} database is at version {} already", database.name(), version(&steps)),
                    "`openwa db down` goes back, and drops data",
                ));
            }
            let taken = migrations::migrate(config, database, self.to)?;
            moved(database, taken, config, out)?;
        }
        Ok(Exit::Done)
    }
}

impl Down {
    fn run(&self, config: &Config, out: &mut Output) -> Result<Exit> {
        let database = Database::from(self.database);
        let at = version(&migrations::status(config, database)?);
        if self.to > at {
            return Err(Failure::usage(
                format!("the {} database is at version {at}, which is lower", database.name()),
                "`openwa db up` goes forward",
            ));
        }
        if self.to < at && !self.yes {
            return Err(Failure::usage(
                format!("going from version {at} to {} drops tables with all they hold", self.to),
                "make a backup, then say --yes",
            ));
        }
        let taken = migrations::migrate(config, database, Some(self.to))?;
        moved(database, taken, config, out)?;
        Ok(Exit::Done)
    }
}
