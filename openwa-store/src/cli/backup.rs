//! Backups.

use std::ops::ControlFlow;

use clap::{Args, Subcommand};
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use super::exit::{Exit, Result};
use super::input;
use super::json::{Object, array};
use super::meter::Meter;
use super::options::Options;
use super::output::Output;
use super::signals;
use super::table::{Column, Table};
use super::waiting;
use crate::{
    Backup as Made, BackupOptions, BackupProgress, BackupPrune, BackupRepo, Json, KeepRules, RestoreOptions,
    Text, VerifyOptions, backups, prune_backups, restore_backup, verify_backups,
};

/// Back the store up into an encrypted repository, and restore it
///
/// The repository is a folder, or S3-compatible storage (s3:https://host/bucket/folder, with AWS_ACCESS_KEY_ID and
/// AWS_SECRET_ACCESS_KEY set). It has restic's format, so `restic` can list, check and restore it as well.
#[derive(Subcommand)]
pub enum Backup {
    Create(Create),
    List(List),
    Verify(Verify),
    Restore(Restore),
    Prune(Prune),
}

/// Where the repository is, and what opens it. A lost password cannot be had again.
#[derive(Args)]
struct Repo {
    /// The repository: a folder, s3:https://host/bucket/folder or s3://bucket/folder
    #[arg(long, env = "OPENWA_BACKUP_REPO", value_name = "PLACE", help_heading = "Repository")]
    repo: String,

    /// File whose first line is the password, - for standard input [default: OPENWA_BACKUP_PASSWORD]
    #[arg(long, value_name = "FILE", help_heading = "Repository")]
    password_file: Option<String>,

    /// Command that prints the password
    #[arg(long, value_name = "COMMAND", conflicts_with = "password_file", help_heading = "Repository")]
    password_command: Option<String>,
}

impl Repo {
    fn options(&self) -> Result<BackupRepo> {
        signals::remove_temporaries();
        let mut file = self.password_file.clone();
        let standard = file.take_if(|file| input::is_standard(&file));
        let typed = standard.map(|file| input::text(file.as_ref())).transpose()?;
        Ok(BackupRepo {
            repo: Some(self.repo.clone()),
            password: typed.map(|text| text.lines().next().unwrap_or_default().into()),
            password_file: file,
            password_command: self.password_command.clone(),
        })
    }
}

/// Of so many hours, days … that have backups the last one is kept, in UTC; the newest is kept in any case. Without any
/// of these, 24 hourly and 7 daily ones.
#[derive(Args)]
struct Keep {
    /// The last ones, whenever they were made
    #[arg(long, value_name = "N", help_heading = "What is kept")]
    keep_last: Option<u32>,

    /// One per hour, of so many hours
    #[arg(long, value_name = "N", help_heading = "What is kept")]
    keep_hourly: Option<u32>,

    /// One per day
    #[arg(long, value_name = "N", help_heading = "What is kept")]
    keep_daily: Option<u32>,

    /// One per week
    #[arg(long, value_name = "N", help_heading = "What is kept")]
    keep_weekly: Option<u32>,

    /// One per month
    #[arg(long, value_name = "N", help_heading = "What is kept")]
    keep_monthly: Option<u32>,

    /// One per year
    #[arg(long, value_name = "N", help_heading = "What is kept")]
    keep_yearly: Option<u32>,
}

impl Keep {
    fn rules(&self, name: Option<&str>) -> KeepRules {
        KeepRules {
            last: self.keep_last,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            name: name.map(str::to_owned),
        }
    }

    fn is_given(&self) -> bool {
        let KeepRules { last, hourly, daily, weekly, monthly, yearly, .. } = self.rules(None);
        [last, hourly, daily, weekly, monthly, yearly].iter().any(Option::is_some)
    }
}

/// Write a backup while the store is in use, and read it back
///
/// Costs about what changed since the last one. It succeeds only when everything new was read back from the
/// repository. The repository is made if it is missing.
#[derive(Args)]
pub struct Create {
    #[command(flatten)]
    repo: Repo,

    /// Name of the store, for a repository that several stores share [default: openwa]
    #[arg(long)]
    name: Option<String>,

    /// Afterwards forget the backups that need not be kept; the same as any --keep-…
    #[arg(long)]
    prune: bool,

    #[command(flatten)]
    keep: Keep,

    /// Folder for the copies of the databases while they are written [default: that of the Main database]
    #[arg(long, value_name = "DIR")]
    temp_dir: Option<String>,

    /// The program for a dump of PostgreSQL, or none: a document instead [default: one that fits the server]
    #[arg(long, value_name = "PROGRAM")]
    pg_dump: Option<String>,

    /// Read back the whole backup, not only what is new in the repository
    #[arg(long)]
    read_all: bool,
}

/// Show the backups in a repository
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    repo: Repo,
}

/// Read backups back, every byte, and compare them with what was written
#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    repo: Repo,

    /// Only this one, by the beginning of its id, or the latest [default: all]
    #[arg(value_name = "BACKUP")]
    backup: Option<String>,
}

/// Restore a backup into a new folder, or in place of a store that is closed
///
/// --dir and --data say where to, as for every command. Everything is verified before it takes its place; what was there
/// is set aside under another name. PostgreSQL is restored into a schema without tables.
#[derive(Args)]
pub struct Restore {
    #[command(flatten)]
    repo: Repo,

    /// Which one, by the beginning of its id [default: the latest]
    #[arg(value_name = "BACKUP")]
    backup: Option<String>,

    /// The latest one of the store of this name
    #[arg(long, conflicts_with = "backup")]
    name: Option<String>,

    /// Take the place of the store that is there, which is set aside
    #[arg(long)]
    replace: bool,

    /// Even if the store that is there has newer credentials: their sessions have to be paired again
    #[arg(long)]
    allow_old_credentials: bool,
}

/// Forget the backups that need not be kept, and give their space back
///
/// Space is marked first, and removed by a prune at least 23 hours later.
#[derive(Args)]
pub struct Prune {
    #[command(flatten)]
    repo: Repo,

    /// Only backups of the store of this name [default: of all, each store by itself]
    #[arg(long)]
    name: Option<String>,

    #[command(flatten)]
    keep: Keep,
}

impl Backup {
    pub fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        match self {
            Backup::Create(c) => c.run(options, out),
            Backup::List(c) => c.run(out),
            Backup::Verify(c) => c.run(out),
            Backup::Restore(c) => c.run(options, out),
            Backup::Prune(c) => c.run(out),
        }
    }
}

/// Runs `work` with a callback that moves a meter.
fn metered<T>(
    what: &str,
    work: impl FnOnce(&mut dyn FnMut(BackupProgress) -> ControlFlow<()>) -> crate::Result<T>,
) -> crate::Result<T> {
    let mut meter = Meter::rows(what);
    let done = work(&mut |at: BackupProgress| {
        waiting::done();
        let of = at.total.map_or_else(String::new, |total| format!(" of {}", HumanBytes(total)));
        meter.say(format!("{}: {}{of}", at.phase, HumanBytes(at.bytes)));
        ControlFlow::Continue(())
    });
    meter.done();
    done
}

impl Create {
    fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let store = options.open()?;
        let how = BackupOptions {
            repo: self.repo.options()?,
            name: self.name.clone(),
            prune: self.prune || self.keep.is_given(),
            keep: self.keep.rules(self.name.as_deref()),
            temp_dir: self.temp_dir.clone(),
            pg_dump: self.pg_dump.clone(),
            read_all: self.read_all,
        };
        let report = metered("backup", |tell| store.backup(&how, Some(tell)))?;
        store.close()?;
        if out.is_json() {
            let tables = report.tables.iter().fold(Object::new(), |o, (name, rows)| o.put(name, json!(rows)));
            let document = Object::new()
                .put("backup", document(&report.backup))
                .put("tables", tables.done())
                .put("verified", json!(report.verified))
                .put("prune", report.prune.as_ref().map_or_else(|| json!(null).into(), pruned));
            out.json(&document.done())?;
            return Ok(Exit::Done);
        }
        let made = &report.backup;
        out.line(format_args!("Backup {} of {} is written and verified.", short(&made.id), made.data_at))?;
        out.line(format_args!(
            "{} rows, {}; {} new in the repository",
            HumanCount(made.rows),
            HumanBytes(made.bytes),
            HumanBytes(made.added)
        ))?;
        if let Some(prune) = &report.prune {
            show_prune(prune, out)?;
        }
        Ok(Exit::Done)
    }
}

impl List {
    fn run(&self, out: &mut Output) -> Result<Exit> {
        let found = backups(&self.repo.options()?)?;
        if out.is_json() {
            out.json(&array(found.iter().map(document)))?;
            return Ok(Exit::Done);
        }
        if found.is_empty() {
            out.line("There is no backup yet.")?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new(&[
            Column::Left("ID"),
            Column::Left("MOMENT"),
            Column::Left("STORE"),
            Column::Right("ROWS"),
            Column::Right("SIZE"),
            Column::Right("ADDED"),
            Column::Left("DATA"),
            Column::Left("HOST"),
        ]);
        for made in &found {
            table.row([
                short(&made.id).to_owned(),
                made.data_at.to_string(),
                made.name.clone(),
                HumanCount(made.rows).to_string(),
                HumanBytes(made.bytes).to_string(),
                HumanBytes(made.added).to_string(),
                made.data_engine.clone(),
                made.host.clone(),
            ]);
        }
        out.table(&table)?;
        Ok(Exit::Done)
    }
}

impl Verify {
    fn run(&self, out: &mut Output) -> Result<Exit> {
        let how = VerifyOptions { repo: self.repo.options()?, backup: self.backup.clone() };
        let report = metered("verify", |tell| verify_backups(&how, Some(tell)))?;
        let sound = report.problems.is_empty();
        if out.is_json() {
            let document = Object::new()
                .put("sound", strings(&report.sound))
                .put("damaged", strings(&report.damaged))
                .put("problems", strings(&report.problems))
                .put("bytes", json!(report.bytes));
            out.json(&document.done())?;
        } else {
            report.problems.iter().try_for_each(|problem| out.line(problem))?;
            out.line(format_args!(
                "{} of {} backups are whole; {} were read.",
                report.sound.len(),
                report.sound.len() + report.damaged.len(),
                HumanBytes(report.bytes)
            ))?;
        }
        Ok(if sound { Exit::Done } else { Exit::Unusable })
    }
}

impl Restore {
    fn run(&self, options: &Options, out: &mut Output) -> Result<Exit> {
        let how = RestoreOptions {
            repo: self.repo.options()?,
            backup: self.backup.clone(),
            name: self.name.clone(),
            replace: self.replace,
            allow_old_credentials: self.allow_old_credentials,
        };
        let target = options.store_config()?;
        let report = metered("restore", |tell| restore_backup(&target, &how, Some(tell)))?;
        if out.is_json() {
            let tables = report.tables.iter().fold(Object::new(), |o, (name, rows)| o.put(name, json!(rows)));
            let document = Object::new()
                .put("backup", document(&report.backup))
                .put("tables", tables.done())
                .put("set_aside", strings(&report.set_aside))
                .put("credentials_at", json!(report.credentials_at.map(|at| at.to_string())));
            out.json(&document.done())?;
            return Ok(Exit::Done);
        }
        let made = &report.backup;
        out.line(format_args!("Restored and verified: backup {} of {}.", short(&made.id), made.data_at))?;
        for path in &report.set_aside {
            out.line(format_args!("What was there before is now {path}"))?;
        }
        if let Some(at) = report.credentials_at {
            out.line(format_args!(
                "Its credentials are of {at}; sessions that were used since have to be paired again."
            ))?;
        }
        Ok(Exit::Done)
    }
}

impl Prune {
    fn run(&self, out: &mut Output) -> Result<Exit> {
        let report = prune_backups(&self.repo.options()?, &self.keep.rules(self.name.as_deref()))?;
        if out.is_json() {
            out.json(&pruned(&report))?;
        } else {
            show_prune(&report, out)?;
        }
        Ok(Exit::Done)
    }
}

fn show_prune(report: &BackupPrune, out: &mut Output) -> Result<()> {
    out.line(format_args!(
        "{} backups forgotten, {} kept; {} given back, {} marked for a later prune",
        report.forgotten.len(),
        report.kept.len(),
        HumanBytes(report.freed),
        HumanBytes(report.marked)
    ))?;
    Ok(())
}

fn pruned(report: &BackupPrune) -> Json {
    Object::new()
        .put("kept", strings(&report.kept))
        .put("forgotten", strings(&report.forgotten))
        .put("freed", json!(report.freed))
        .put("marked", json!(report.marked))
        .done()
}

fn document(made: &Made) -> Json {
    let text = |s: &str| json!(Text::from(s).as_stored());
    Object::new()
        .put("id", text(&made.id))
        .put("name", text(&made.name))
        .put("host", text(&made.host))
        .put("main_at", text(&made.main_at.to_string()))
        .put("data_at", text(&made.data_at.to_string()))
        .put("library", text(&made.library))
        .put("data_form", text(made.data_form.name()))
        .put("data_engine", text(&made.data_engine))
        .put("rows", json!(made.rows))
        .put("bytes", json!(made.bytes))
        .put("sealed", json!(made.sealed))
        .put("added", json!(made.added))
        .done()
}

fn strings(items: &[String]) -> Json {
    array(items.iter().map(|item| json!(Text::from(item.as_str()).as_stored()).into()))
}

/// As much of an id as people need.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
