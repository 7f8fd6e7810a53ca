//! A PostgreSQL database: its writer and its readers.

use std::path::Path;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::Core;
#[cfg(unix)]
use super::builtin::{Builtin, BuiltinOptions};
use super::bulk::PgBulk;
use super::ready::{Prepare, Readiness};
use super::writer::Writer;
use crate::config::Postgres as Options;
#[cfg(unix)]
use crate::db::lock;
use crate::db::queue::Queue;
use crate::db::{Bulk, Conn, Limits, Seals, Trace, Turn};
use crate::error::{Error, Kind, Result};
use crate::value::Value;

pub(crate) struct Postgres {
    core: Arc<Core>,
    writer: Writer,
    /// The server that was started for this store; it is left last.
    #[cfg(unix)]
    server: Mutex<Option<Builtin>>,
}

/// What an engine needs beside the server's address.
pub(crate) struct Setup<'a> {
    /// The store's folder, for a server of its own.
    pub(crate) dir: Option<&'a Path>,
    pub(crate) limits: Limits,
    pub(crate) trace: Option<Trace>,
    pub(crate) seals: Arc<Seals>,
    /// Is run on the first connection.
    pub(crate) prepare: Option<Prepare>,
}

impl Postgres {
    /// Makes ready what is needed to talk to the server; it need not be there yet, unless it is the store's own, which
    /// is started. `tell` hears what is waited for.
    pub(crate) fn new(options: &Options, setup: Setup<'_>, tell: &dyn Fn(&str)) -> Result<Self> {
        #[cfg(unix)]
        let (server, options) = start(options, setup.dir, tell)?;
        #[cfg(not(unix))]
        if options.builtin {
            return Err(Error::new(Kind::Unsupported, "this system cannot start a server for the store"));
        }
        let core = Core::new(&options, setup.trace, setup.seals, Readiness::new(setup.prepare))?;
        let writer = Writer::start(Arc::clone(&core), setup.limits)?;
        Ok(Postgres {
            core,
            writer,
            #[cfg(unix)]
            server: Mutex::new(server),
        })
    }

    /// Waits until the server answers and the database is ready for use. `tell` hears what is waited for.
    pub(crate) fn wait(&self, tell: &dyn Fn(&str)) -> Result<()> {
        let deadline = Instant::now() + self.core.options.wait;
        let mut pause = Duration::from_millis(50);
        loop {
            let reached = self.core.pool.lease_now(&self.core, self.core.deadline());
            match reached.and_then(|conn| self.core.readiness.see_to(&conn)) {
                Err(e) if e.kind() == Kind::Unavailable && Instant::now() + pause < deadline => {
                    tell(&e.to_string());
                }
                done => return done,
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// The server, as it is reached.
    #[cfg(feature = "backup")]
    pub(crate) fn server(&self) -> &Options {
        &self.core.options
    }

    pub(crate) fn is_partitioned(&self) -> bool {
        self.core.is_partitioned()
    }

    /// Connections that are open, and the most there may be.
    pub(crate) fn connections(&self) -> (u64, u64) {
        (self.core.pool.open().into(), self.core.options.max_connections.max(1).into())
    }

    /// Looks again which months have a partition.
    pub(crate) fn forget_months(&self) {
        self.core.months.forget();
    }

    /// A read whose connection turns out to be lost is done again on another one: the server may have been restarted
    /// since the connection was last used.
    pub(in crate::db) fn read<T>(&self, mut f: impl FnMut(&dyn Conn) -> Result<T>) -> Result<T> {
        let deadline = self.core.deadline();
        loop {
            let conn = self.core.lease(deadline)?;
            conn.limit(self.core.options.read_timeout.map(|t| Instant::now() + t));
            conn.begin_reads();
            match f(&conn) {
                Err(e) if e.kind() == Kind::Unavailable && conn.is_lost() && Instant::now() < deadline => {}
                out => return out,
            }
        }
    }

    pub(in crate::db) fn snapshot<T>(&self, f: impl FnOnce(&dyn Conn) -> Result<T>) -> Result<T> {
        let conn = self.core.lease(self.core.deadline())?;
        conn.begin_read();
        f(&conn)
    }

    pub(in crate::db) fn bulk<T>(&self, f: impl FnOnce(&mut dyn Bulk) -> Result<T>) -> Result<T> {
        f(&mut PgBulk::new(&self.core))
    }

    pub(in crate::db) fn alone<T>(&self, f: impl FnOnce(&dyn Conn) -> Result<T>) -> Result<T> {
        f(&self.core.lease(self.core.deadline())?)
    }

    /// A lock that lives as long as a transaction of its own. Locks of a session would outlive it behind a pooler.
    pub(in crate::db) fn turn(&self, work: &'static str) -> Result<Option<Turn>> {
        let conn = self.core.lease(self.core.deadline())?;
        conn.begin_idle();
        let sql =
            "SELECT pg_try_advisory_xact_lock(hashtext('openwa ' || ?1::text || ' of ' || this_schema))";
        let taken = (&conn as &dyn Conn)
            .first(sql, &[Value::Text(work)], |row| Ok(row.get(0) == Value::Bool(true)))?;
        Ok(taken.unwrap_or(false).then(|| Turn(Box::new(conn))))
    }

    pub(in crate::db) fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(in crate::db) fn queue(&self) -> &Queue {
        self.writer.queue()
    }

    pub(in crate::db) fn seals(&self) -> &Arc<Seals> {
        &self.core.seals
    }

    pub(in crate::db) fn shown(&self) -> String {
        self.core.connector.shown().to_owned()
    }

    pub(in crate::db) fn close(&self) -> Result<()> {
        let out = self.writer.close();
        self.core.pool.close();
        #[cfg(unix)]
        if let Some(server) = lock(&self.server).take() {
            server.stop()?;
        }
        out
    }
}

/// Starts the store's own server if it shall have one, and says where it is.
#[cfg(unix)]
fn start(options: &Options, dir: Option<&Path>, tell: &dyn Fn(&str)) -> Result<(Option<Builtin>, Options)> {
    if !options.builtin {
        return Ok((None, options.clone()));
    }
    let dir = dir.ok_or_else(|| Error::invalid("dir", "a store with a server of its own needs a folder"))?;
    let server = Builtin::start(
        &BuiltinOptions {
            dir,
            user: &options.user,
            password: options.password.as_deref(),
            database: &options.database,
            port: options.port,
            wait: options.wait,
            path: None,
        },
        tell,
    )?;
    let (host, port) = server.address();
    let password = Some(server.password().to_owned());
    Ok((Some(server), Options { host, port, password, ..options.clone() }))
}
