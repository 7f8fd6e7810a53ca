//! OpenWA's database on a PostgreSQL server, read in one read-only transaction as of one moment.
//!
//! Rows come as JSON that the server makes, through a cursor and the simple protocol, which every pooler carries.

use std::sync::Arc;
use std::time::Instant;

use tokio_postgres::SimpleQueryMessage;
use url::Url;

use super::{At, Take};
use crate::config::Postgres;
use crate::db::{Connector, Line, quoted};
use crate::error::{Error, Kind, Result};
use crate::takeover::map::{self, MAPPINGS};
use crate::takeover::row::SourceRow;

/// Rows that are asked for at once follow from how many bytes the last ones had.
const FETCH_BYTES: usize = 2 << 20;
const FETCH_MOST: usize = 500;

/// What the URL of somebody else's database may say.
const PARAMETERS: [&str; 5] = ["schema", "sslmode", "sslrootcert", "host", "port"];

/// Where the database is.
pub(super) struct Address(Postgres);

impl Address {
    /// Reads `postgres://user:password@host:port/database?schema=public&sslmode=prefer`.
    pub(super) fn parse(given: &str) -> Result<Self> {
        let to = Postgres::read_url(given, "source")?;
        let wrong =
            |what: &str| Error::invalid("source", format!("not the URL of a PostgreSQL database: {what}"));
        let url = Url::parse(given).map_err(|e| wrong(&e.to_string()))?;
        if url.path().trim_start_matches('/').is_empty() {
            return Err(wrong("it names no database"));
        }
        // The others say how a store uses its database.
        if let Some((other, _)) = url.query_pairs().find(|(name, _)| !PARAMETERS.contains(&&**name)) {
            let known = PARAMETERS.join(", ");
            return Err(wrong(&format!("{other} is not known; {known} are")));
        }
        Ok(Address(to))
    }

    /// The address without the password.
    pub(super) fn shown(&self) -> String {
        format!("{:?}, schema {}", self.0, self.0.schema)
    }
}

pub(super) fn read(address: &Address, take: &mut dyn Take) -> Result<()> {
    let Address(options) = address;
    let server = Server::connect(options)?;
    let tables = server.tables(&options.schema)?;
    let mut total = 0;
    for table in &tables {
        let sql = format!("SELECT count(*) FROM {}.{}", quoted(&options.schema), quoted(&table.name));
        let counted = server.rows(&sql)?;
        total += counted.first().and_then(|r| r.first()?.parse::<u64>().ok()).unwrap_or(0);
    }
    let mut at = At { done: 0, total: Some(total) };
    for table in &tables {
        take.table(&table.name)?;
        server.read(table, &options.schema, &mut |row| {
            at.done += 1;
            take.row(SourceRow::from_json(row.as_bytes()), at)
        })?;
    }
    server.batch("COMMIT")
}

/// The server, in a transaction that sees one moment.
struct Server(Line);

impl Server {
    fn connect(options: &Postgres) -> Result<Self> {
        let line = Arc::new(Connector::new(options)?).connect(Instant::now() + options.timeout)?;
        let server = Server(line);
        server.batch(
            "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0",
        )?;
        Ok(server)
    }

    fn batch(&self, sql: &str) -> Result<()> {
        self.wait(self.0.client.batch_execute(sql))
    }

    /// The rows of a query, all of them, as text; NULL is empty.
    fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let messages = self.wait(self.0.client.simple_query(sql))?;
        let text = |row: &tokio_postgres::SimpleQueryRow| {
            (0..row.len()).map(|i| row.get(i).unwrap_or_default().to_owned()).collect()
        };
        let row = |m: &SimpleQueryMessage| {
            if let SimpleQueryMessage::Row(row) = m { Some(text(row)) } else { None }
        };
        Ok(messages.iter().filter_map(row).collect())
    }

    fn wait<T>(
        &self,
        answer: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        let gone = || Error::new(Kind::Unavailable, "the server does not answer");
        self.0.wait(answer, None).ok_or_else(gone)?.map_err(failed)
    }

    /// The tables with rows to take, those that are mapped first.
    fn tables(&self, schema: &str) -> Result<Vec<TableRead>> {
        let sql = format!(
            "SELECT c.table_name, c.column_name, c.data_type, c.is_generated
               FROM information_schema.columns AS c
               JOIN information_schema.tables AS t USING (table_schema, table_name)
              WHERE c.table_schema = {} AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position",
            literal(schema)
        );
        let mut tables: Vec<TableRead> = Vec::new();
        for column in self.rows(&sql)? {
            let [table, name, kind, generated] = column.as_slice() else { continue };
            if map::is_bookkeeping(table) {
                continue;
            }
            if tables.last().is_none_or(|t| t.name != *table) {
                tables.push(TableRead { name: table.clone(), columns: Vec::new(), names: Vec::new() });
            }
            if let Some(last) = tables.last_mut()
                && generated != "ALWAYS"
            {
                let q = quoted(name);
                // A time without a zone is UTC; written with its Z it stays that for whoever reads it later.
                last.columns.push(match kind.as_str() {
                    "timestamp without time zone" => {
                        format!("to_char({q}, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS {q}")
                    }
                    "timestamp with time zone" => {
                        format!("to_char({q} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS {q}")
                    }
                    // As OpenWA's own export of it has them.
                    "bigint" => format!("{q}::text AS {q}"),
                    _ => q,
                });
                last.names.push(name.clone());
            }
        }
        let there = |name: &str| tables.iter().any(|t| t.name == name);
        if there("openwa_migrations") {
            let text = "this looks like a database of openwa-store itself; there is nothing to take over";
            return Err(Error::new(Kind::ForeignDatabase, text));
        }
        if !there("sessions") || !there("messages") {
            let names: Vec<&str> = tables.iter().map(|t| t.name.as_str()).collect();
            let text = if names.is_empty() {
                format!("the database has no tables in the schema {schema}; name another with ?schema=")
            } else {
                format!("this looks like another program's database; its tables: {}", names.join(", "))
            };
            return Err(Error::new(Kind::ForeignDatabase, text));
        }
        for table in &tables {
            if let Some(mapping) = map::mapping(&table.name) {
                let names: Vec<&str> = table.names.iter().map(String::as_str).collect();
                map::check_columns(mapping, &names)?;
            }
        }
        tables.sort_by_key(|t| MAPPINGS.iter().position(|m| m.table == t.name).unwrap_or(MAPPINGS.len()));
        Ok(tables)
    }

    /// Hands over every row.
    fn read(
        &self,
        table: &TableRead,
        schema: &str,
        each: &mut dyn FnMut(String) -> Result<()>,
    ) -> Result<()> {
        let sql = format!(
            "DECLARE taken NO SCROLL CURSOR FOR SELECT row_to_json(r)::text FROM (SELECT {} FROM {}.{}) AS r",
            table.columns.join(", "),
            quoted(schema),
            quoted(&table.name)
        );
        self.batch(&sql)?;
        let mut fetch = 16;
        loop {
            let fetched = self.rows(&format!("FETCH {fetch} FROM taken"))?;
            if fetched.is_empty() {
                break;
            }
            let mut bytes = 0;
            for row in fetched.into_iter().flatten() {
                bytes += row.len();
                each(row)?;
            }
            fetch = if bytes > FETCH_BYTES { (fetch / 2).max(1) } else { (fetch * 2).min(FETCH_MOST) };
        }
        self.batch("CLOSE taken")
    }
}

fn failed(e: tokio_postgres::Error) -> Error {
    let kind = if e.as_db_error().is_some() { Kind::Unreadable } else { Kind::Unavailable };
    let told = e.as_db_error().map_or_else(|| e.to_string(), |db| db.message().to_owned());
    Error::new(kind, format!("the server does not give its rows: {told}")).caused_by(e)
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

struct TableRead {
    name: String,
    /// What is selected: every column that is stored and not computed.
    columns: Vec<String>,
    names: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Tls;

    #[test]
    fn a_url_with_everything() {
        let url = "postgresql://o%40wa:p%3Aw@db.example.com:6432/gate%20way?schema=wa&sslmode=require";
        let Address(to) = Address::parse(url).unwrap();
        assert_eq!((to.user.as_str(), to.password.as_deref()), ("o@wa", Some("p:w")));
        assert_eq!((to.host.as_str(), to.port, to.database.as_str()), ("db.example.com", 6432, "gate way"));
        assert_eq!((to.schema.as_str(), to.tls), ("wa", Tls::Require));
        assert!(!Address(to).shown().contains("p:w"), "no password is shown");
    }

    #[test]
    fn what_is_no_address_says_why() {
        for bad in [
            "postgres://",
            "postgres://h",
            "postgres://h/",
            "postgres://h/d?ssl=1",
            "postgres://h/d?sslmode=x",
            "postgres://h/d?builtin=true",
        ] {
            assert_eq!(Address::parse(bad).err().map(|e| e.kind()), Some(Kind::InvalidArgument), "{bad}");
        }
    }
}
