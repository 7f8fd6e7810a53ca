//! PostgreSQL as an engine: a few connections that blocking callers share. The bytes are sent and read by the thread that
//! waits for the answer, which saves waking another one twice; there is no runtime.

#[cfg(unix)]
mod builtin;
mod bulk;
mod columns;
mod conn;
mod connect;
mod database;
mod direct;
mod failure;
mod line;
mod pool;
#[cfg_attr(not(unix), allow(dead_code, reason = "a server is started on Unix only"))]
mod programs;
mod ready;
mod room;
mod socket;
mod statement;
mod text;
mod value;
mod writer;

pub(crate) use database::{Postgres, Setup};
#[cfg(feature = "backup")]
pub(crate) use programs::{Output, Programs, reason, run, version};
pub(crate) use text::quoted;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use conn::PgConn;
pub(crate) use connect::Connector;
pub(crate) use line::Line;
use pool::{Mark, Pool};
pub(crate) use ready::Prepare;
use ready::Readiness;
pub(crate) use room::FIRST_MONTH;
use room::Months;
use text::Texts;

use super::{Conn, Seals, Trace};
use crate::config::Postgres as Options;
use crate::error::{Error, Kind, Result};

/// What all connections of one store share.
pub(crate) struct Core {
    options: Options,
    connector: Arc<Connector>,
    texts: Texts,
    trace: Option<Trace>,
    seals: Arc<Seals>,
    pool: Pool,
    months: Months,
    readiness: Readiness,
    /// A connection that was taken for a direct one was not.
    pooled: AtomicBool,
}

/// How often the end of a commit is asked for whose answer was lost.
const ASK_AGAIN: Duration = Duration::from_millis(50);

impl Core {
    fn new(
        options: &Options,
        trace: Option<Trace>,
        seals: Arc<Seals>,
        readiness: Readiness,
    ) -> Result<Arc<Self>> {
        let mut tables: Vec<_> =
            crate::entity::tables_of(crate::entity::Database::Data).map(|t| t.name).collect();
        tables.extend([
            "message_ids",
            "messages_ahead",
            "openwa_writers",
            "openwa_migrations",
            "openwa_seal",
            "openwa_maintenance",
            "openwa_moved",
            "openwa_retention",
            "create_messages_partition",
            "save_new_messages",
        ]);
        Ok(Arc::new(Core {
            options: options.clone(),
            connector: Arc::new(Connector::new(options)?),
            texts: Texts::new(&options.schema, tables),
            trace,
            seals,
            pool: Pool::default(),
            months: Months::default(),
            readiness,
            pooled: AtomicBool::new(false),
        }))
    }

    /// When a call that begins now has to be over with waiting for a connection.
    fn deadline(&self) -> Instant {
        Instant::now() + self.options.timeout
    }

    /// A connection to a database that is ready for use. Waits until `deadline` for a free one and for the server.
    fn lease(self: &Arc<Self>, deadline: Instant) -> Result<PgConn> {
        let conn = self.pool.lease(self, deadline)?;
        self.readiness.see_to(&conn)?;
        Ok(conn)
    }

    /// Whether statements may stay prepared on connections that are direct.
    fn may_prepare(&self) -> bool {
        !self.pooled.load(Ordering::Relaxed)
    }

    /// A pooler was found where none seemed to be: from here on nothing is prepared.
    fn is_pooled(&self) {
        self.pooled.store(true, Ordering::Relaxed);
    }

    fn is_partitioned(&self) -> bool {
        self.readiness.is_partitioned()
    }

    /// How the transaction with this mark ended, whose answer was lost: an error says that nothing of it was kept, or that
    /// nobody can tell. Writing to the mark waits for a transaction that has not ended yet.
    fn outcome(self: &Arc<Self>, mark: Mark) -> Result<()> {
        let deadline = self.deadline();
        let sql = format!(
            "{} RETURNING commits",
            Mark { number: 0, ..mark }.leave(self.texts.schema(), "w.commits")
        );
        loop {
            let asked = self.lease(deadline).and_then(|conn| {
                conn.limit(Some(deadline));
                (&conn as &dyn Conn).integer(&sql, &[])
            });
            match asked {
                Ok(commits) if commits == mark.number => return Ok(()),
                Ok(_) => return Err(failure::lost("the server went away before the commit")),
                Err(e) if e.kind() == Kind::Unavailable && Instant::now() < deadline => {}
                Err(_) => return Err(unknown()),
            }
            std::thread::sleep(ASK_AGAIN);
        }
    }
}

fn unknown() -> Error {
    Error::new(
        Kind::Unavailable,
        "the connection was lost while the server committed, and it cannot be asked whether it did; do it again: what is \
         there already is recognised",
    )
    .with("outcome", "unknown")
}
