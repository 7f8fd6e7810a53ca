//! Opening a store whose Data database is on a PostgreSQL server.

use std::sync::Arc;

use super::{Env, limits};
use crate::config::Postgres as Options;
use crate::db::{Conn, Database, Postgres, Setup, quoted};
use crate::entity;
use crate::error::{Error, Kind, Result};
use crate::maintenance::partitions;
use crate::schema::{self, Layout};
use crate::value::Value;

/// The oldest version that is known to do.
const OLDEST: i64 = 120_000;

pub(super) fn open(env: &Arc<Env>, options: &Options) -> Result<Arc<Database>> {
    let prepare = {
        let (env, options) = (Arc::clone(env), options.clone());
        Box::new(move |conn: &dyn Conn| {
            check_server(conn)?;
            make_schema(conn, &options)?;
            schema::migrate(conn, entity::Database::Data, layout(&options), None, env.now())?;
            partitions::make_ahead(conn, env.now()).map(drop)
        })
    };
    let named = |e: Error| e.during("open");
    let tell = |text: &str| {
        if let Some(tell) = &env.config.opening {
            tell(text);
        }
    };
    let setup = Setup {
        dir: env.config.dir.as_deref(),
        limits: limits(&env.config),
        trace: env.config.trace.clone(),
        prepare: Some(prepare),
    };
    let engine = Postgres::new(options, setup, &tell).map_err(named)?;
    match engine.wait(&tell) {
        Err(e) if options.required || e.kind() != Kind::Unavailable => {
            return Err(named(e.with("server", format!("{options:?}"))));
        }
        // The first call that reaches the server does the rest.
        _ => {}
    }
    Ok(Database::postgres(engine))
}

fn layout(options: &Options) -> Layout {
    if options.partitioned { Layout::Partitioned } else { Layout::Plain }
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
    let sql = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = this_schema";
    if conn.first(sql, &[], |_| Ok(()))?.is_some() {
        return Ok(());
    }
    conn.begin()?;
    let made = conn.batch(&format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(&options.schema)));
    conn.end(made.is_ok())?;
    made
}
