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
use crate::db::{Conn, Programs, run};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::schema;
use crate::store::{Store, migrations, on_server};
use crate::transfer::{ImportOptions, Missing, Mode};
use crate::value::Value;

/// How long filling a database may take.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Fails when the schema has tables, unless they are what a restore left that did not come to its end: those are dropped.
pub(super) fn refuse_taken(target: &Config, server: &Server, places: &Places) -> Result<()> {
    if places.begun() == Some(place(server)) {
        migrations::migrate(target, Database::Data, Some(0))?;
    }
    on_server(target, server, |conn, _| is_empty(conn, server))
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
    places: &'a Places,
}

impl Filled<'_> {
    /// Drops the tables.
    pub(super) fn take_back(&self) {
        // The error that brought us here is the one to report.
        let emptied = migrations::migrate(self.target, Database::Data, Some(0));
        if emptied.is_ok() {
            self.places.give_up();
        }
    }
}

/// Fills an empty schema with what is in the file, and checks it.
pub(super) fn fill<'a>(
    target: &'a Config,
    server: &Server,
    file: &Path,
    content: &Content,
    places: &'a Places,
) -> Result<Filled<'a>> {
    if content.step > schema::latest(Database::Data) {
        let text = format!(
            "the backup is of version {} of the schema, this library knows {}; use the newer one",
            content.step,
            schema::latest(Database::Data)
        );
        return Err(Error::new(Kind::SchemaTooNew, text));
    }
    let filled = Filled { target, places };
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
        told(run(command.arg(file), PATIENCE)?).map(|_| ())
    })
}

fn told(output: crate::db::Output) -> Result<String> {
    if output.success {
        return Ok(output.out);
    }
    Err(Error::new(Kind::Unavailable, format!("pg_restore failed: {}", output.reason())))
}
