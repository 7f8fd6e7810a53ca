//! Opening a store whose Data database is on a PostgreSQL server.

use std::sync::Arc;

use super::{Env, limits};
use crate::config::{Config, Postgres as Options};
use crate::db::{Conn, Database, Postgres, Prepare, Seals, Setup, quoted};
use crate::entity;
use crate::error::{Error, Kind, Result};
use crate::maintenance::{partitions, secrets};
use crate::schema::{self, Applied, Layout};
use crate::value::Value;

/// The oldest version that is known to do.
const OLDEST: i64 = 120_000;

pub(super) fn open(env: &Arc<Env>, options: &Options) -> Result<Arc<Database>> {
    let prepare = {
        let (env, options) = (Arc::clone(env), options.clone());
        Box::new(move |conn: &dyn Conn| {
            check_server(conn)?;
            make_schema(conn, &options)?;
            let (layout, wait) = (layout(conn, &options)?, env.config.lock_wait);
            schema::migrate(conn, entity::Database::Data, layout, None, wait, env.now())?;
            partitions::forget_writers(conn)?;
            partitions::make_ahead(conn, env.now())?;
            secrets::at_open(conn, env.now())?;
            Ok(partitions::layout(conn)?.unwrap_or(false))
        })
    };
    let named = |e: Error| e.during("open");
    let tell = |text: &str| tell(&env.config, text);
    let engine = engine(&env.config, options, Some(prepare), &tell).map_err(named)?;
    match engine.wait(&tell) {
        Err(e) if options.required || e.kind() != Kind::Unavailable => {
            return Err(named(e.with("server", format!("{options:?}"))));
        }
        // The first call that reaches the server does the rest.
        _ => {}
    }
    Ok(Database::postgres(engine))
}

fn tell(config: &Config, text: &str) {
    if let Some(tell) = &config.opening {
        tell(text);
    }
}

fn engine(
    config: &Config,
    options: &Options,
    prepare: Option<Prepare>,
    tell: &dyn Fn(&str),
) -> Result<Postgres> {
    let (dir, trace) = (config.dir.as_deref(), config.trace.clone());
    let seals = Seals::new(config.store_key.as_ref());
    Postgres::new(options, Setup { dir, limits: limits(config), trace, seals, prepare }, tell)
}

/// The database as it is, for work on its schema.
fn as_it_is<T>(config: &Config, options: &Options, work: impl FnOnce(&dyn Conn) -> Result<T>) -> Result<T> {
    let tell = |text: &str| tell(config, text);
    let engine = engine(config, options, None, &tell)?;
    engine.wait(&tell)?;
    Database::postgres(engine).alone(work)
}

/// The database as it is, its schema made, and the server as it is reached, for a restore into it.
#[cfg(feature = "backup")]
pub(crate) fn on_server<T>(
    config: &Config,
    options: &Options,
    work: impl FnOnce(&dyn Conn, &Options) -> Result<T>,
) -> Result<T> {
    let tell = |text: &str| tell(config, text);
    let engine = engine(config, options, None, &tell)?;
    engine.wait(&tell)?;
    let server = engine.server().clone();
    Database::postgres(engine).alone(|conn| {
        check_server(conn)?;
        make_schema(conn, &server)?;
        work(conn, &server)
    })
}

/// The steps of the schema; `None`: there is none yet.
pub(super) fn steps(config: &Config, options: &Options) -> Result<Option<Vec<Applied>>> {
    as_it_is(config, options, |conn| {
        let steps = schema::status(conn, entity::Database::Data)?;
        Ok(steps.iter().any(|s| s.applied_at.is_some()).then_some(steps))
    })
}

/// Moves the schema up or down.
pub(super) fn migrate(config: &Config, options: &Options, target: Option<i64>) -> Result<usize> {
    as_it_is(config, options, |conn| {
        check_server(conn)?;
        make_schema(conn, options)?;
        let (layout, wait, now) = (layout(conn, options)?, config.lock_wait, config.clock.now());
        schema::migrate(conn, entity::Database::Data, layout, target, wait, now)
    })
}

/// A database that is there keeps its layout, whatever the options say.
fn layout(conn: &dyn Conn, options: &Options) -> Result<Layout> {
    let partitioned = partitions::layout(conn)?.unwrap_or(options.partitioned);
    Ok(if partitioned { Layout::Partitioned } else { Layout::Plain })
}

fn check_server(conn: &dyn Conn) -> Result<()> {
    let sql = "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'),
                      pg_encoding_to_char(encoding) FROM pg_catalog.pg_database WHERE datname = current_database()";
    let text = |v: Value<'_>| if let Value::Text(s) = v { s.to_owned() } else { String::new() };
    let found = conn.first(sql, &[], |row| {
        Ok((if let Value::Int(n) = row.get(0) { n } else { 0 }, text(row.get(1)), text(row.get(2))))
    })?;
    let Some((number, version, encoding)) = found else { return Ok(()) };
    if number < OLDEST {
        let text = format!("the server is PostgreSQL {version}; version 12 or newer is needed");
        return Err(Error::new(Kind::Unsupported, text));
    }
    if encoding != "UTF8" {
        let text = format!(
            "the database keeps text as {encoding}, which cannot hold all of it; make one with CREATE DATABASE … ENCODING \
             'UTF8' TEMPLATE template0"
        );
        return Err(Error::new(Kind::Unsupported, text));
    }
    Ok(())
}

/// Makes the schema if it is missing. It is looked for first: a role that may use it need not be allowed to make one.
fn make_schema(conn: &dyn Conn, options: &Options) -> Result<()> {
    let sql =
        "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = this_schema";
    match conn.first(sql, &[], |row| Ok(row.get(0) == Value::Bool(true)))? {
        Some(true) => return Ok(()),
        // Tables made all the same would be temporary ones.
        Some(false) => {
            return Err(Error::new(
                Kind::PermissionDenied,
                format!(
                    "the role may not use the schema {0}; grant it USAGE and CREATE on schema {0}",
                    options.schema
                ),
            ));
        }
        None => {}
    }
    conn.begin()?;
    let made = conn.batch(&format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(&options.schema)));
    conn.end(made.is_ok())?;
    made
}
