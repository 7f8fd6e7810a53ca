//! Data on a PostgreSQL server into a file: by `pg_dump` where there is one for the server, else as a document.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Copy, Known, Teller, describe, from_sqlite};
use crate::backup::manifest::Copied;
use crate::backup::report::{BackupPhase, Form};
use crate::backup::staging::Staging;
use crate::config::Postgres as Server;
use crate::db::{Conn, Programs, Sqlite, reason, version};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use crate::transfer::{ExportOptions, Progress};
use crate::value::Value;

/// How often one looks how far the program is.
const LOOK: Duration = Duration::from_millis(50);

/// Main and Data. The snapshot of the server is taken right behind that of Main.
pub(super) fn copy(
    store: &Store,
    main: &Sqlite,
    staging: &Staging,
    pg_dump: Option<&str>,
    to: &mut Teller<'_>,
) -> Result<(Copy, Copy)> {
    let data = store.database(Database::Data);
    let postgres = data.as_postgres().ok_or_else(|| Error::new(Kind::Internal, "Data is on no server"))?;
    let server = postgres.server();
    // Asked before, so that the transaction with the snapshot begins right behind that of Main.
    let major = data.read(major)?;
    let program = match pg_dump {
        Some("none") => None,
        Some(path) => Some(fitting(path.into(), major)?),
        None => Programs::new(None).at_least("pg_dump", major),
    };
    let at = store.env().now();
    let main = (main.freeze()?, at);
    let Some(program) = program else {
        let data = as_document(store, staging, to)?;
        return Ok((from_sqlite(Database::Main, main, staging, to)?, data));
    };
    let at = store.env().now();
    let data = data.snapshot(|conn| {
        let exported = conn.first("SELECT pg_export_snapshot()", &[], |row| {
            Ok(if let Value::Text(id) = row.get(0) { id.to_owned() } else { String::new() })
        })?;
        let bytes = u64::try_from(conn.integer(conn.dialect().bytes(), &[])?).unwrap_or(0);
        staging.make_room(bytes)?;
        let file = "data.pg_dump";
        let path = staging.files().join(file);
        let mut command = Command::new(&program);
        command
            .args(["--format=custom", "--compress=0", "--no-owner", "--no-privileges", "--no-password"])
            .arg(format!("--schema=\"{}\"", server.schema.replace('"', "\"\"")))
            .arg(format!("--snapshot={}", exported.unwrap_or_default()))
            .arg("--file")
            .arg(&path);
        reach(&mut command, server);
        let running = Running::start(command)?;
        // The same moment as that of the dump: the transaction is the one that it takes its snapshot from.
        let found = describe(conn, Database::Data)?;
        let known = found.known();
        running.wait(&path, to)?;
        let copied = Copied {
            file,
            form: Form::PgDump,
            engine: found.engine,
            schema: Some(server.schema.clone()),
            at,
            steps: found.steps,
            rows: found.rows,
        };
        Ok((copied, known))
    })?;
    Ok((from_sqlite(Database::Main, main, staging, to)?, data))
}

/// Fails when the program is older than the server, whose tables it could not read.
fn fitting(program: PathBuf, major: u32) -> Result<PathBuf> {
    let refuse = |kind, text: String| Err(Error::new(kind, text).with("pg_dump", program.display()));
    match version(&program) {
        Some(found) if found >= major => Ok(program),
        Some(found) => refuse(
            Kind::Unsupported,
            format!("pg_dump is of version {found}, the server of {major}; give a newer one, or `none`"),
        ),
        None => refuse(Kind::NotFound, "this is no program that tells its version".to_owned()),
    }
}

fn major(conn: &dyn Conn) -> Result<u32> {
    let number = conn.integer("SELECT current_setting('server_version_num')::bigint / 10000", &[])?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

fn as_document(store: &Store, staging: &Staging, to: &mut Teller<'_>) -> Result<Copy> {
    let file = "data.json";
    let (at, data) = (store.env().now(), store.database(Database::Data));
    let found = data.read(|conn| describe(conn, Database::Data))?;
    let known = found.known();
    let path = staging.files().join(file);
    // Compressed it would be another file altogether after each change; the repository compresses it anyway.
    let options = ExportOptions::default();
    let mut stopped = Ok(());
    let report = store.export_file(
        &path,
        &options,
        Some(&mut |_: Progress| {
            let bytes = std::fs::metadata(&path).map_or(0, |m| m.len());
            stopped = to.tell(BackupPhase::Copy, bytes, None);
            if stopped.is_ok() {
                std::ops::ControlFlow::Continue(())
            } else {
                std::ops::ControlFlow::Break(())
            }
        }),
    );
    stopped?;
    let rows = report?.tables;
    let copied = Copied {
        file,
        form: Form::Document,
        engine: found.engine,
        schema: None,
        at,
        steps: found.steps,
        rows,
    };
    // An export has its secrets in clear; the repository is encrypted.
    Ok((copied, Known { sealed: false, ..known }))
}

/// Tells one of the server's own programs where the server is. The password is not among its arguments, which everybody
/// can see.
pub(in crate::backup) fn reach(command: &mut Command, server: &Server) {
    command
        .arg(format!("--host={}", server.host))
        .arg(format!("--port={}", server.port))
        .arg(format!("--username={}", server.user))
        .arg(format!("--dbname={}", plain(&server.database)))
        .env("PGSSLMODE", server.tls.name())
        .env("PGAPPNAME", "openwa-store")
        .env("PGCONNECT_TIMEOUT", server.timeout.as_secs().max(2).to_string());
    for name in ["PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGPASSFILE"] {
        command.env_remove(name);
    }
    match &server.password {
        Some(password) => command.env("PGPASSWORD", password),
        None => command.env_remove("PGPASSWORD"),
    };
    if let Some(roots) = &server.tls_roots {
        command.env("PGSSLROOTCERT", roots);
    }
}

/// A database's name as the programs want it, which take some names for connection strings.
fn plain(database: &str) -> String {
    if !database.contains('=') && !database.contains("://") {
        return database.to_owned();
    }
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A program of the server that writes a file.
struct Running {
    child: std::process::Child,
    err: Option<std::thread::JoinHandle<String>>,
}

impl Running {
    fn start(mut command: Command) -> Result<Self> {
        let failed = |e: std::io::Error| Error::new(Kind::Io, format!("pg_dump cannot be run: {e}"));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let err = child.stderr.take().map(|mut pipe| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                // What could be read is what there is to show.
                let _ = std::io::Read::read_to_end(&mut pipe, &mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })
        });
        Ok(Running { child, err })
    }

    fn wait(mut self, path: &Path, to: &mut Teller<'_>) -> Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                let said = self.err.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
                return if status.success() { Ok(()) } else { Err(failure(&said)) };
            }
            to.tell(BackupPhase::Copy, std::fs::metadata(path).map_or(0, |m| m.len()), None)?;
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the work was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn failure(said: &str) -> Error {
    let reason = reason(said);
    let kind = if said.contains("No space left") {
        Kind::DiskFull
    } else if said.contains("permission denied") || said.contains("authentication failed") {
        Kind::PermissionDenied
    } else {
        Kind::Unavailable
    };
    Error::new(kind, format!("pg_dump failed: {reason}"))
}
