//! A store on one screen: sizes, sessions, what comes in, what needs attention. Every figure is a matter of milliseconds
//! however many rows there are; where counting would take longer it is estimated, and says so.

mod days;
mod growth;
mod rows;

use std::time::Duration;

use uuid::Uuid;

use crate::db::Conn;
use crate::entity::{Database, Session, SessionStatus, tables_of};
use crate::error::Result;
use crate::policy::retention::{DAY, Windows};
use crate::record::shape;
use crate::repo::sessions;
use crate::schema;
use crate::store::Store;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::{Column, Value};

pub use days::DayCount;
pub use growth::Growth;
pub use rows::TableEstimate;

shape! { input:
/// What to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverviewOptions {
    /// Days for which messages are counted, today included; default 14, at most 90.
    pub days: Option<u32>,
    /// How many days retention keeps messages, unless a session says otherwise; default 30, 0: for ever.
    pub window_days: Option<u32>,
}
}

shape! { output:
/// A store on one screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// The library's version.
    pub version: &'static str,
    /// When it was looked at.
    pub at: Timestamp,
    /// What needs attention, for people; empty: nothing does.
    pub problems: Vec<String>,
    /// Main and Data.
    pub databases: Vec<DatabaseOverview>,
    /// How many sessions are in each state that occurs.
    pub sessions: Vec<SessionCount>,
    /// Sessions that have failed or are disconnected, the latest first, twenty at most.
    pub troubled: Vec<TroubledSession>,
    /// Messages per day (UTC) by the time they were sent, oldest day first, today last.
    pub days: Vec<DayCount>,
    /// Whether these are estimates, from a sample of the rows.
    pub days_estimated: bool,
    /// Where it is going.
    pub growth: Growth,
    /// Deliveries to webhooks.
    pub deliveries: Deliveries,
    /// API keys that expire within two weeks, or have in the last month, the first first, twenty at most.
    pub keys: Vec<ExpiringKey>,
    /// When retention last ran; None: never.
    pub last_retention: Option<Timestamp>,
}
}

shape! { output:
/// One database on one line.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseOverview {
    /// `main` or `data`.
    pub database: &'static str,
    /// Its path, `:memory:`, or the address of its server.
    pub place: String,
    /// Its engine and the engine's version.
    pub engine: String,
    /// The version of its schema.
    pub schema_version: i64,
    /// Bytes of the file; on PostgreSQL, of all tables and indexes.
    pub bytes: u64,
    /// Bytes in the file that a vacuum would give back. PostgreSQL does not tell.
    pub free_bytes: Option<u64>,
    /// Bytes of the write-ahead log. A server's serves all its databases.
    pub wal_bytes: Option<u64>,
    /// Bytes left on the disk, where that is this machine's.
    pub disk_free_bytes: Option<u64>,
    /// Connections that this store holds to a server.
    pub connections: Option<u64>,
    /// The most that it may hold.
    pub max_connections: Option<u64>,
    /// Rows per table.
    pub tables: Vec<TableEstimate>,
}
}

shape! { output:
/// How many sessions are in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionCount {
    /// The state.
    pub status: SessionStatus,
    /// How many.
    pub sessions: u64,
}
}

shape! { output:
/// A session that does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TroubledSession {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: Text,
    /// Its state.
    pub status: SessionStatus,
    /// When it last changed.
    pub since: Timestamp,
}
}

shape! { output:
/// Attempts to deliver events to webhooks in the last 24 hours; of very many, the last 20,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// All attempts.
    pub attempts: u64,
    /// Those that were answered with a status from 200 to 299.
    pub delivered: u64,
    /// Webhooks that are active.
    pub webhooks: u64,
}
}

shape! { output:
/// An API key that needs a successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiringKey {
    /// Its name.
    pub name: Text,
    /// Its first characters.
    pub key_prefix: Text,
    /// When it stops, or stopped, working.
    pub expires_at: Timestamp,
}
}

/// Days that are shown when nobody says otherwise, and at most.
const DAYS: u32 = 14;
const MOST_DAYS: u32 = 90;
/// Days that retention keeps messages by default.
const WINDOW_DAYS: u32 = 30;
/// Rows that a list has at most.
const LISTED: usize = 20;
/// Attempts that are counted at most.
const ATTEMPTS: i64 = 20_000;
/// How long before its end a key is named, and how long after it.
const SOON: Duration = Duration::from_secs(14 * DAY.as_secs());
const LATELY: Duration = Duration::from_secs(30 * DAY.as_secs());
/// A log of this size is held by a reader that stays open: writers keep it well below.
const LONG_LOG: u64 = 512 << 20;
/// Less than this left on the disk, and less than a fifth of the file, is a problem.
const LITTLE_ROOM: u64 = 2 << 30;
/// Fewer deliveries than this per hundred are a problem, when there are enough to tell.
const GOOD_RATE: u64 = 95;
const ENOUGH_ATTEMPTS: u64 = 20;

pub(crate) fn overview(store: &Store, options: &OverviewOptions) -> Result<Overview> {
    let now = store.env().now();
    let data = store.database(Database::Data);
    let databases = vec![database(store, Database::Main)?, database(store, Database::Data)?];
    let all = data.read(sessions::all)?;
    let count = options.days.unwrap_or(DAYS).clamp(1, MOST_DAYS);
    let kept = databases[1].rows("messages");
    let (days, days_estimated) = data.read(|conn| days::count(conn, &all, kept, now, count))?;
    let window =
        Some(options.window_days.unwrap_or(WINDOW_DAYS)).filter(|days| *days > 0).map(|days| DAY * days);
    let oldest = data.read(|conn| growth::oldest(conn, &all))?;
    let growth = growth::growth(&days, kept, databases[1].bytes, &oldest, window, now);
    let deliveries = data.read(|conn| deliveries(conn, now))?;
    let keys = store.database(Database::Main).read(|conn| keys(conn, now))?;
    let mut overview = Overview {
        version: env!("CARGO_PKG_VERSION"),
        at: now,
        problems: Vec::new(),
        databases,
        sessions: by_status(&all),
        troubled: troubled(&all),
        days,
        days_estimated,
        growth,
        deliveries,
        keys,
        last_retention: store.last_retention()?,
    };
    overview.problems = problems(&overview);
    if let Some(why) = store.retention_waits(&Windows { messages: window, ..Windows::default() })? {
        overview.problems.push(format!("retention waits: {why}"));
    } else if growth::is_overdue(&all, &oldest, window, now) {
        overview.problems.push(
            "messages are older than retention keeps them: run `openwa retention run` or start the scheduler"
                .to_owned(),
        );
    }
    let broken = data.read(|conn| conn.integer(conn.dialect().unusable_indexes(), &[]))?;
    if broken > 0 {
        overview.problems.push(format!("{broken} indexes cannot be used: run `openwa db check --repair`"));
    }
    Ok(overview)
}

impl DatabaseOverview {
    fn rows(&self, table: &str) -> TableEstimate {
        let none = TableEstimate { table: "", rows: 0, exact: true };
        self.tables.iter().find(|t| t.table == table).copied().unwrap_or(none)
    }
}

fn database(store: &Store, which: Database) -> Result<DatabaseOverview> {
    let database = store.database(which);
    let read = |conn: &dyn Conn| {
        let dialect = conn.dialect();
        let version = conn.first(dialect.version(), &[], |row| Ok(Text::read(row.get(0))))?.flatten();
        let number = |sql| conn.integer(sql, &[]).map(|n| u64::try_from(n).unwrap_or(0));
        let free = dialect.free_bytes().map(number).transpose()?;
        let tables = tables_of(which).map(|table| rows::estimate(conn, table)).collect::<Result<_>>()?;
        let steps = schema::status(conn, which)?;
        let applied = steps.iter().filter(|s| s.applied_at.is_some()).map(|s| s.version).max();
        Ok((version.unwrap_or_default(), number(dialect.bytes())?, free, tables, applied.unwrap_or(0)))
    };
    let (engine, bytes, free_bytes, tables, schema_version) = database.read(read)?;
    let connections = database.connections();
    Ok(DatabaseOverview {
        database: which.name(),
        place: database.shown(),
        engine: engine.to_string(),
        schema_version,
        bytes,
        free_bytes,
        wal_bytes: database.as_sqlite().map(crate::db::Sqlite::log_bytes),
        disk_free_bytes: database.as_sqlite().and_then(crate::db::Sqlite::disk_free),
        connections: connections.map(|(open, _)| open),
        max_connections: connections.map(|(_, most)| most),
        tables,
    })
}

fn by_status(all: &[Session]) -> Vec<SessionCount> {
    let count = |status| all.iter().filter(|s| s.status == status).count() as u64;
    let counts =
        SessionStatus::ALL.iter().map(|status| SessionCount { status: *status, sessions: count(*status) });
    counts.filter(|c| c.sessions > 0).collect()
}

fn troubled(all: &[Session]) -> Vec<TroubledSession> {
    let is_troubled = |s: &&Session| matches!(s.status, SessionStatus::Failed | SessionStatus::Disconnected);
    let mut found: Vec<_> = all
        .iter()
        .filter(is_troubled)
        .map(|s| TroubledSession { id: s.id, name: s.name.clone(), status: s.status, since: s.updated_at })
        .collect();
    found.sort_by(|a, b| b.since.cmp(&a.since).then(a.id.cmp(&b.id)));
    found.truncate(LISTED);
    found
}

fn deliveries(conn: &dyn Conn, now: Timestamp) -> Result<Deliveries> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE status_code BETWEEN 200 AND 299) FROM (
                 SELECT status_code FROM webhook_logs WHERE created_at >= ?1 ORDER BY created_at DESC LIMIT ?2) AS recent";
    let number = |v: Value<'_>| i64::read(v).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let since = Value::Time(now.minus(DAY));
    let found =
        conn.first(sql, &[since, Value::Int(ATTEMPTS)], |row| Ok((number(row.get(0)), number(row.get(1)))))?;
    let (attempts, delivered) = found.unwrap_or_default();
    let webhooks = conn.integer("SELECT count(*) FROM webhooks WHERE active", &[])?;
    Ok(Deliveries { attempts, delivered, webhooks: u64::try_from(webhooks).unwrap_or(0) })
}

fn keys(conn: &dyn Conn, now: Timestamp) -> Result<Vec<ExpiringKey>> {
    let sql = "SELECT name, key_prefix, expires_at FROM api_keys
                WHERE active = 1 AND expires_at > ?1 AND expires_at < ?2 ORDER BY expires_at LIMIT 20";
    conn.all(sql, &[Value::Time(now.minus(LATELY)), Value::Time(now.plus(SOON))], |row| {
        let text = |i| Text::read(row.get(i)).unwrap_or_default();
        let expires_at = Timestamp::read(row.get(2)).unwrap_or(now);
        Ok(ExpiringKey { name: text(0), key_prefix: text(1), expires_at })
    })
}

/// What needs attention, the worst first.
fn problems(it: &Overview) -> Vec<String> {
    let mut out = Vec::new();
    for database in &it.databases {
        let name = database.database;
        if database.disk_free_bytes.is_some_and(|free| free < LITTLE_ROOM && free < database.bytes / 5) {
            out.push(format!("the disk of {name} is nearly full"));
        }
        if database.wal_bytes.is_some_and(|bytes| bytes > LONG_LOG) {
            out.push(format!("the write-ahead log of {name} grows: a reader stays open and holds it"));
        }
        if database.connections.is_some() && database.connections == database.max_connections {
            out.push(format!("all connections of {name} are in use"));
        }
    }
    for session in &it.troubled {
        let how = if session.status == SessionStatus::Failed { "has failed" } else { "is disconnected" };
        out.push(format!("session {} {how}", session.name));
    }
    for key in &it.keys {
        let how = if key.expires_at <= it.at { "has expired" } else { "expires soon" };
        out.push(format!("API key {} {how}", key.name));
    }
    let Deliveries { attempts, delivered, .. } = it.deliveries;
    if attempts >= ENOUGH_ATTEMPTS && delivered * 100 < attempts * GOOD_RATE {
        out.push(format!("{} of {attempts} deliveries to webhooks failed", attempts - delivered));
    }
    out
}
