//! The one face of the library: [`Store`], and a group of verbs per aggregate.
//!
//! A write verb returns a [`Pending`](crate::Pending): `wait()` for it, `submit()` it for a ticket, or `.await` it.
//! A read verb answers at once, on the caller's thread; it never queues behind writes.

mod api_keys;
mod audit;
mod auth;
mod authorizer;
mod backup;
mod batches;
mod contacts;
mod events;
mod logbook;
mod messages;
pub mod migrations;
mod own;
#[cfg(feature = "postgres")]
mod postgres;
mod secrets;
mod sessions;
mod storage;
mod takeover;
mod transfer;
mod upkeep;
mod webhooks;

pub use api_keys::{ApiKeys, Ask, Authorization, CreatedKey};
pub use audit::Audit;
pub use auth::Auth;
pub use batches::Batches;
pub use contacts::Contacts;
pub use logbook::LogBuffer;
pub use messages::{Messages, Scan};
#[cfg(all(feature = "cli-slim", unix))]
pub(crate) use own::identity_of;
pub(crate) use own::refuse_own;
#[cfg(feature = "cli-slim")]
pub(crate) use own::{Identity, identity, refuse_same};
#[cfg(all(feature = "backup", feature = "postgres"))]
pub(crate) use postgres::on_server;
pub use secrets::{SecretsState, SecretsStatus};
pub use sessions::Sessions;
pub use storage::{IndexInfo, PartitionInfo};
pub use upkeep::{DatabaseStatus, Status};
pub use webhooks::Webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use authorizer::Authorizer;
use logbook::Logbook;

use crate::config::{Config, DataDatabase};
use crate::db::{Conn, Database, Limits, Pending, Seals, Sharable, Sqlite, SqliteFile};
use crate::entity;
use crate::error::{Error, Result};
use crate::maintenance::scheduler::Keeper;
use crate::maintenance::secrets as sealing;
use crate::repo::Ids;
use crate::repo::at_once::Lately;
use crate::repo::messages::Context;
use crate::schema::{self, Layout};
use crate::time::Timestamp;

/// An open store. Cheap to clone; every clone is the same store. It may be used from any number of threads.
///
/// ```
/// use openwa_store::{NewMessage, NewSession, Store};
///
/// # fn main() -> openwa_store::Result<()> {
/// let store = Store::in_memory()?;
/// let session = store.sessions().create(NewSession { name: "shop-1".into(), ..Default::default() }).wait()?;
/// let saved = store
///     .messages()
///     .save(session.id, NewMessage {
///         wa_message_id: Some("3EB0C431C26A1916E07A".into()),
///         chat_id: "12025550143@s.whatsapp.net".into(),
///         from_number: "12025550143@s.whatsapp.net".into(),
///         r#type: "text".into(),
///         body: Some("hello".into()),
///         ..Default::default()
///     })
///     .wait()?;
/// assert!(saved.outcome.is_new());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Store {
    /// Before the rest: when the last user goes, maintenance ends first. `None` in its own thread.
    keeper: Option<Arc<Keeper>>,
    inner: Arc<Inner>,
}

struct Inner {
    main: Arc<Database>,
    data: Arc<Database>,
    env: Arc<Env>,
    authorizer: Authorizer,
    logbook: Logbook,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody is left to hear of an error. The databases close themselves.
        let _ = self.logbook.close();
        let _ = self.authorizer.flush();
    }
}

/// What writes need beside their connection. Jobs in the queue share it; they never own the store itself, or
/// the writer's thread could be the one to drop it.
pub(crate) struct Env {
    pub(crate) ids: Ids,
    pub(crate) config: Config,
    lately: Lately,
    /// Whether a session was taken over from another gateway, once somebody has looked.
    taken_over: AtomicU8,
}

const UNKNOWN: u8 = 0;
const NONE: u8 = 1;
const SOME: u8 = 2;

impl Env {
    pub(crate) fn now(&self) -> Timestamp {
        self.config.clock.now()
    }

    /// Whether a session was taken over from another gateway, so that its chats may have addresses as that wrote them.
    /// The database is asked once: a takeover belongs before the gateway's start.
    pub(crate) fn taken_over(&self, conn: &dyn Conn) -> Result<bool> {
        let known = self.taken_over.load(Ordering::Relaxed);
        if known != UNKNOWN {
            return Ok(known == SOME);
        }
        let sql = "SELECT 1 FROM openwa_extra WHERE table_name = 'sessions' LIMIT 1";
        let found = conn.first(sql, &[], |_| Ok(()))?.is_some();
        self.taken_over.store(if found { SOME } else { NONE }, Ordering::Relaxed);
        Ok(found)
    }

    /// Has the database asked again: rows were imported.
    pub(crate) fn forget_taken_over(&self) {
        self.taken_over.store(UNKNOWN, Ordering::Relaxed);
    }

    pub(crate) fn context(&self, now: Timestamp) -> Context<'_> {
        Context { ids: &self.ids, now, history: self.config.history, lately: &self.lately }
    }
}

impl Store {
    /// Opens the store in the folder `dir`, making folder and databases if they are missing.
    ///
    /// # Errors
    /// See [`Store::open_with`].
    pub fn open(dir: impl Into<std::path::PathBuf>) -> Result<Self> {
        Self::open_with(Config::new(dir))
    }

    /// A store in memory, gone when it is closed. For tests.
    ///
    /// # Errors
    /// `Internal` if the system gives no random numbers.
    pub fn in_memory() -> Result<Self> {
        Self::open_with(Config::in_memory())
    }

    /// Opens a store and brings its databases to this library's version.
    ///
    /// # Errors
    /// `ForeignDatabase`, `SchemaTooNew`, `SchemaChanged`, `PermissionDenied`, `Corrupt`, `Io`, `DiskFull`, each
    /// with the path in its context; `WrongStoreKey`.
    pub fn open_with(config: Config) -> Result<Self> {
        let (ids, lately) = (Ids::new()?, Lately::default());
        let env = Arc::new(Env { ids, config, lately, taken_over: AtomicU8::new(UNKNOWN) });
        let main = open_sqlite(&env, entity::Database::Main)?;
        let data = match &env.config.data {
            DataDatabase::Sqlite | DataDatabase::SqliteFile(_) => open_sqlite(&env, entity::Database::Data)?,
            #[cfg(feature = "postgres")]
            DataDatabase::Postgres(options) => postgres::open(&env, options)?,
        };
        let authorizer = Authorizer::new(Arc::clone(&main), Arc::clone(&env));
        let keeper = Some(Arc::new(Keeper::new()));
        let logbook = Logbook::new(&main, &data);
        let store = Store { keeper, inner: Arc::new(Inner { main, data, env, authorizer, logbook }) };
        store.finish_sealing().map_err(|e| e.during("open"))?;
        Ok(store)
    }

    /// Ends the store: what was submitted is written, then the files are closed. A second call does nothing, and
    /// dropping the last clone does the same.
    ///
    /// # Errors
    /// What the last writes failed with.
    pub fn close(&self) -> Result<()> {
        if let Some(keeper) = &self.keeper {
            keeper.stop();
        }
        let logged = self.inner.logbook.close();
        let used = self.inner.authorizer.flush();
        self.inner.main.close()?;
        self.inner.data.close()?;
        logged?;
        match used {
            Err(e) if e.kind() != crate::Kind::Closed => Err(e),
            _ => Ok(()),
        }
    }

    /// Sessions and their life.
    #[must_use]
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions(self)
    }

    /// Message history.
    #[must_use]
    pub fn messages(&self) -> Messages<'_> {
        Messages(self)
    }

    /// Contacts and the two addresses of a person.
    #[must_use]
    pub fn contacts(&self) -> Contacts<'_> {
        Contacts(self)
    }

    /// Webhooks, their delivery log, idempotency.
    #[must_use]
    pub fn webhooks(&self) -> Webhooks<'_> {
        Webhooks(self)
    }

    /// Bulk jobs.
    #[must_use]
    pub fn batches(&self) -> Batches<'_> {
        Batches(self)
    }

    /// An engine's credentials.
    #[must_use]
    pub fn auth(&self) -> Auth<'_> {
        Auth(self)
    }

    /// API keys, their whitelists and the log of their use.
    #[must_use]
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys(self)
    }

    /// The audit trail.
    #[must_use]
    pub fn audit(&self) -> Audit<'_> {
        Audit(self)
    }

    /// The configuration that the store was opened with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.env.config
    }

    /// The thread of maintenance; `None` in the thread itself.
    pub(crate) fn keeper(&self) -> Option<&Keeper> {
        self.keeper.as_deref()
    }

    /// The same store for a thread that shall end with its last user.
    pub(crate) fn without_keeper(&self) -> Self {
        Store { keeper: None, inner: Arc::clone(&self.inner) }
    }

    /// Writes how often keys were used since the last time.
    pub(crate) fn write_usage(&self) -> Result<()> {
        self.inner.authorizer.flush()
    }

    pub(crate) fn env(&self) -> &Arc<Env> {
        &self.inner.env
    }

    pub(crate) fn database(&self, which: entity::Database) -> &Arc<Database> {
        match which {
            entity::Database::Main => &self.inner.main,
            entity::Database::Data => &self.inner.data,
        }
    }

    fn authorizer(&self) -> &Authorizer {
        &self.inner.authorizer
    }

    /// A read of the Data database.
    pub(crate) fn data<T>(
        &self,
        operation: &'static str,
        f: impl FnMut(&dyn Conn) -> Result<T>,
    ) -> Result<T> {
        let out = self.inner.data.read(f).map_err(|e| e.during(operation));
        self.inner.data.observe(operation, out)
    }

    /// A read of the Main database.
    pub(crate) fn main<T>(
        &self,
        operation: &'static str,
        f: impl FnMut(&dyn Conn) -> Result<T>,
    ) -> Result<T> {
        let out = self.inner.main.read(f).map_err(|e| e.during(operation));
        self.inner.main.observe(operation, out)
    }

    /// A write to the Data database.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        f: impl FnMut(&dyn Conn, &Env) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.write_to(entity::Database::Data, operation, f)
    }

    /// A write to the Data database that an engine may do together with others of its kind.
    pub(crate) fn write_shared<S: Sharable>(&self, operation: &'static str, item: S) -> Pending<S::Out> {
        self.inner.data.write_shared(operation, item)
    }

    /// A write to the Main database.
    pub(crate) fn write_main<T: Send + 'static>(
        &self,
        operation: &'static str,
        f: impl FnMut(&dyn Conn, &Env) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.write_to(entity::Database::Main, operation, f)
    }

    /// A write to one of the two.
    pub(crate) fn write_to<T: Send + 'static>(
        &self,
        which: entity::Database,
        operation: &'static str,
        mut f: impl FnMut(&dyn Conn, &Env) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let env = Arc::clone(&self.inner.env);
        self.database(which).write(operation, move |conn| f(conn, &env))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.inner.env.config).finish()
    }
}

pub(crate) fn sqlite_file(config: &Config, which: entity::Database) -> SqliteFile {
    SqliteFile {
        database: which,
        path: match which {
            entity::Database::Main => config.main_path(),
            entity::Database::Data => config.data_path(),
        },
        durability: config.durability,
        trace: config.trace.clone(),
        seals: Seals::new(match which {
            entity::Database::Main => None,
            entity::Database::Data => config.store_key.as_ref(),
        }),
    }
}

fn open_sqlite(env: &Arc<Env>, which: entity::Database) -> Result<Arc<Database>> {
    let config = &env.config;
    let file = sqlite_file(config, which);
    let shown = file.shown();
    let at = |e: Error| e.with("path", &shown).during("open");
    if let Some(folder) = file.path.as_deref().and_then(|p| p.parent()).filter(|p| !p.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|e| at(e.into()))?;
    }
    let (writer, reader) = file
        .among_other_openers(|| {
            // It stays open: if it were the only one and closed, SQLite would remove the log only to make it again.
            let reader = schema::refuse_foreign(&file)?;
            let writer = file.open_writer()?;
            schema::migrate(&writer, which, Layout::Plain, None, env.now())?;
            if which == entity::Database::Data {
                sealing::at_open(&writer, env.now())?;
            }
            Ok((writer, reader))
        })
        .map_err(at)?;
    Ok(Database::sqlite(Sqlite::new(file, writer, reader, limits(config)).map_err(at)?))
}

fn limits(config: &Config) -> Limits {
    Limits { queue: config.queue.max(1), group: config.group.max(1) }
}
