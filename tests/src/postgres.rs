//! PostgreSQL as stores meet it: with partitions, without, and behind PgBouncer.

use std::path::Path;
use std::sync::LazyLock;

use openwa_store::{Config, DataDatabase, ManualClock, Postgres, Store, Uuid};

use crate::bouncer::Bouncer;
use crate::cluster::{Cluster, Database, PASSWORD, Sql, USER};
use crate::conformance::at;

/// How a store meets PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `messages` has a partition for each month.
    Partitioned,
    /// `messages` is one table.
    Plain,
    /// With partitions, behind PgBouncer in transaction mode.
    Bouncer,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 3] = [Way::Partitioned, Way::Plain, Way::Bouncer];
}

/// A database of a store's own, in the cluster of this process.
pub struct Place {
    /// The database.
    pub database: Database<'static>,
    /// How a store meets it.
    pub way: Way,
}

impl Place {
    /// The PgBouncer before the cluster of this process.
    #[must_use]
    pub fn bouncer() -> &'static Bouncer {
        static BOUNCER: LazyLock<Bouncer> = LazyLock::new(|| Bouncer::new(Cluster::shared()));
        &BOUNCER
    }

    /// An empty one.
    #[must_use]
    pub fn empty(way: Way) -> Self {
        Place { database: Cluster::shared().database(), way }
    }

    /// A database of another cluster.
    #[must_use]
    pub fn of(database: Database<'static>, way: Way) -> Self {
        Place { database, way }
    }

    /// One that a store has been opened on once, when every conformance case begins. Copying that is faster than making
    /// the tables anew.
    #[must_use]
    pub fn migrated(way: Way) -> Self {
        static PARTITIONED: LazyLock<Database<'static>> = LazyLock::new(|| template(Way::Partitioned));
        static PLAIN: LazyLock<Database<'static>> = LazyLock::new(|| template(Way::Plain));
        let template = if way == Way::Plain { &PLAIN } else { &PARTITIONED };
        Place { database: template.copy(), way }
    }

    /// How a store reaches it.
    #[must_use]
    pub fn postgres(&self) -> Postgres {
        let partitioned = self.way != Way::Plain;
        match self.way {
            Way::Partitioned | Way::Plain => Postgres { partitioned, ..self.database.postgres() },
            Way::Bouncer => Self::bouncer().postgres(&self.database),
        }
    }

    /// A store with Main in `dir` and Data here.
    #[must_use]
    pub fn config(&self, dir: &Path) -> Config {
        config(self.postgres(), dir)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        let at = self.postgres();
        let partitioned = at.partitioned;
        format!(
            "postgres://{USER}:{PASSWORD}@{}:{}/{}?sslmode=disable&partitioned={partitioned}",
            at.host, at.port, at.database
        )
    }

    /// The environment of a gateway that uses it.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment(&self.postgres())
    }

    /// A session with it, past the pool.
    #[must_use]
    pub fn sql(&self) -> Sql {
        self.database.sql()
    }
}

/// A store with Main in `dir` and Data on a server.
#[must_use]
pub fn config(server: Postgres, dir: &Path) -> Config {
    Config { data: DataDatabase::Postgres(server), ..Config::new(dir) }
}

/// The environment of a gateway that uses this database.
#[must_use]
pub fn environment(postgres: &Postgres) -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_TYPE", "postgres".to_owned()),
        ("DATABASE_HOST", postgres.host.clone()),
        ("DATABASE_PORT", postgres.port.to_string()),
        ("DATABASE_NAME", postgres.database.clone()),
        ("DATABASE_USERNAME", USER.to_owned()),
        ("DATABASE_PASSWORD", PASSWORD.to_owned()),
        ("DATABASE_SSL", "false".to_owned()),
    ]
}

fn template(way: Way) -> Database<'static> {
    let place = Place::empty(way);
    let dir = tempfile::tempdir().unwrap();
    let config = Config { clock: ManualClock::new(at(0)), ..place.config(dir.path()) };
    Store::open_with(config).unwrap().close().unwrap();
    place.database
}

/// What `messages` and `message_ids` disagree about: rows of one without the other, and ids that have two rows.
#[must_use]
pub fn disagreements(sql: &Sql) -> Vec<Vec<String>> {
    let mut found = sql.rows(
        "SELECT 'twice', session_id, wa_message_id FROM messages WHERE wa_message_id IS NOT NULL
         GROUP BY session_id, wa_message_id HAVING count(*) > 1",
    );
    if sql.value("SELECT to_regclass('message_ids') IS NOT NULL") == "t" {
        found.extend(sql.rows(
            "SELECT CASE WHEN m.id IS NULL THEN 'id without message' ELSE 'message without id' END,
                    session_id, wa_message_id
             FROM (SELECT * FROM messages WHERE wa_message_id IS NOT NULL) m
             FULL JOIN message_ids i USING (session_id, wa_message_id)
             WHERE m.id IS NULL OR i.wa_message_id IS NULL",
        ));
    }
    found
}

/// Gives a session `count` messages in 500 chats, evenly over the time from `from` on, past the store.
pub fn fill(sql: &Sql, session: Uuid, count: u64, from: &str, span: &str) {
    let months = format!(
        "SELECT create_messages_partition(m) FROM
           generate_series('{from}'::timestamptz, '{from}'::timestamptz + '{span}'::interval, '20 days') m"
    );
    sql.run(&months);
    sql.run(&format!(
        "WITH new AS (
           INSERT INTO messages (id, session_id, wa_message_id, chat_id, from_number, type, body, from_me, is_group,
                                 wa_timestamp, created_at)
           SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') || '7000a' || substr(md5(n || '{session}'), 1, 15))::uuid,
                  '{session}', '3EB0' || md5(n::text), chat, chat, 'text', repeat('x', 300), false, false, t, t
           FROM (SELECT n, '1202555' || lpad((n * 7919 % 500)::text, 4, '0') || '@s.whatsapp.net' AS chat,
                        '{from}'::timestamptz + n * ('{span}'::interval / {count}) AS t
                 FROM generate_series(0, {count}::bigint - 1) n) rows
           RETURNING session_id, wa_message_id, id, created_at)
         INSERT INTO message_ids (session_id, wa_message_id, message_id, created_at) SELECT * FROM new"
    ));
    sql.run("ANALYZE");
}
