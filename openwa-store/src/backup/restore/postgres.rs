//! Data into a PostgreSQL server.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::check;
use super::files::Places;
use crate::backup::manifest::Content;
use crate::backup::report::Form;
use crate::backup::sources::reach;
use crate::config::{Config, Postgres as Server};
use crate::db::{Conn, Dialect, Programs, Wait, run};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::schema;
use crate::store::{Store, migrations, on_server};
use crate::transfer::{ImportOptions, Missing, Mode};
use crate::value::Value;

/// How long filling a database may take.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long what a killed restore has left may take to end.
const LEFT_OVER_ENDS: Duration = Duration::from_secs(15);

/// Fails when the schema has tables, unless they are what a restore left that did not come to its end: those are dropped.
pub(super) fn refuse_taken(target: &Config, server: &Server, places: &Places) -> Result<()> {
    if places.begun() == Some(place(server)) {
        on_server(target, server, |conn, _| end_left_over(conn, server))?;
        empty(target, server)?;
    }
    on_server(target, server, |conn, _| is_empty(conn, server))
}

/// The name under which `pg_restore` fills a schema.
fn filler(server: &Server) -> String {
    format!("openwa-restore {}", server.schema)
}

/// Ends what a killed restore has left behind: its `pg_restore` is a process of its own and may be at it still.
fn end_left_over(conn: &dyn Conn, server: &Server) -> Result<()> {
    let name = filler(server);
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
                WHERE application_name = left(?1::text, 63) AND datname = current_database() AND usename = current_user";
    let mut wait = Wait::at_most(LEFT_OVER_ENDS);
    loop {
        if conn.integer(sql, &[Value::Text(&name)])? == 0 {
            return Ok(());
        }
        if !wait.again() {
            break;
        }
    }
    let text = format!(
        "a restore into the schema {} that was killed does not end on the server; try again",
        server.schema
    );
    Err(Error::new(Kind::Busy, text))
}

/// Drops all tables, the ledger of migrations among them.
fn empty(target: &Config, server: &Server) -> Result<()> {
    migrations::migrate(target, Database::Data, Some(0))?;
    on_server(target, server, |conn, _| conn.execute("DROP TABLE IF EXISTS openwa_migrations", &[]).map(drop))
}

/// Names the place of Data in the mark of a restore.
fn place(server: &Server) -> String {
    format!("{server:?}, schema {}", server.schema)
}

fn is_empty(conn: &dyn Conn, server: &Server) -> Result<()> {
    let tables =
        conn.first(conn.dialect().tables_and_ledgers(), &[], |row| Ok(row.get(0) != Value::Int(0)))?;
    if tables != Some(true) {
        return Ok(());
    }
    let text = format!(
        "the schema {} has tables already; restore into another database, or into another schema (POSTGRES_SCHEMA)",
        server.schema
    );
    Err(Error::new(Kind::Conflict, text).with("server", format!("{server:?}")))
}

/// What was filled, and how it is emptied again.
pub(super) struct Filled<'a> {
    target: &'a Config,
    server: &'a Server,
    places: &'a Places,
}

impl Filled<'_> {
    /// Drops the tables.
    pub(super) fn take_back(&self) {
        // The error that brought us here is the one to report.
        if empty(self.target, self.server).is_ok() {
            self.places.give_up();
        }
    }
}

/// Fills an empty schema with what is in the file, and checks it.
pub(super) fn fill<'a>(
    target: &'a Config,
    server: &'a Server,
    file: &Path,
    content: &Content,
    places: &'a Places,
) -> Result<Filled<'a>> {
    let latest = schema::latest(Database::Data, Dialect::Postgres { partitioned: true });
    if content.step > latest {
        let text = format!(
            "the backup is of version {} of the schema, this library knows {latest}; use the newer one",
            content.step,
        );
        return Err(Error::new(Kind::SchemaTooNew, text));
    }
    let filled = Filled { target, server, places };
    // A store without its keys is none, so it does not open until all of it is there.
    places.begin(&place(server))?;
    let done = match content.form()? {
        Form::Document => import(target, file),
        _ => from_dump(target, server, file, content),
    };
    let checked =
        done.and_then(|()| on_server(target, server, |conn, _| check(conn, Database::Data, content)));
    match checked {
        Ok(()) => Ok(filled),
        // Somebody else's tables are not ours to drop.
        Err(e) if e.kind() == Kind::Conflict => {
            places.give_up();
            Err(e)
        }
        Err(e) => {
            filled.take_back();
            Err(e)
        }
    }
}

fn import(target: &Config, file: &Path) -> Result<()> {
    let scratch = file.with_file_name("scratch.sqlite");
    let store = Store::open_with(Config { main: Some(scratch), ..target.clone() })?;
    let how = ImportOptions { mode: Mode::Replace, missing: Missing::Keep, dry_run: false };
    store.import_file(file, &how, None)?;
    store.close()
}

fn from_dump(target: &Config, server: &Server, file: &Path, content: &Content) -> Result<()> {
    if let Some(schema) = content.schema.as_ref().filter(|schema| **schema != server.schema) {
        let text =
            format!("the backup is of schema {schema}; restore it into one of this name (POSTGRES_SCHEMA)");
        return Err(Error::invalid("schema", text));
    }
    on_server(target, server, |conn, at| {
        is_empty(conn, at)?;
        let major =
            content.engine.split(|c: char| !c.is_ascii_digit()).find_map(|n| n.parse().ok()).unwrap_or(0);
        let program = Programs::new(None).at_least("pg_restore", major).ok_or_else(|| {
            let text = format!("the backup was made by pg_dump; to restore it, pg_restore of version {major} or newer is needed");
            Error::new(Kind::Unsupported, text)
        })?;
        // Schemas are there already; a role need not be allowed to make one.
        let listed = told(run(Command::new(&program).arg("--list").arg(file), PATIENCE)?)?;
        let list = file.with_extension("list");
        let ours = |line: &&str| !line.contains(" SCHEMA - ") && !line.contains(" COMMENT - SCHEMA ");
        std::fs::write(&list, listed.lines().filter(ours).collect::<Vec<_>>().join("\n"))?;
        let mut command = Command::new(&program);
        command
            .args([
                "--single-transaction",
                "--exit-on-error",
                "--no-owner",
                "--no-privileges",
                "--no-password",
            ])
            .arg("--use-list")
            .arg(&list);
        reach(&mut command, at);
        command.env("PGAPPNAME", filler(at));
        told(run(command.arg(file), PATIENCE)?).map(|_| ())
    })
}

fn told(output: crate::db::Output) -> Result<String> {
    if output.success {
        return Ok(output.out);
    }
    Err(Error::new(Kind::Unavailable, format!("pg_restore failed: {}", output.reason())))
}
