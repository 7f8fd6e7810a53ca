//! A transaction that replaces whole tables.

use super::{Conn, SqliteConn};
use crate::error::{Error, Kind, Result};
use crate::value::{Row, Value};

/// One big write on the writer's connection, without what would be done for every single row: foreign keys are
/// not enforced (whoever writes checks references itself; deleting a parent's rows leaves the children alone),
/// and secondary indexes may be taken off and put back. Dropped without [`Bulk::commit`], all is undone.
pub(crate) struct Bulk<'a> {
    conn: &'a SqliteConn,
}

/// Indexes that were taken off a table.
#[derive(Default)]
pub(crate) struct Indexes(Vec<String>);

impl<'a> Bulk<'a> {
    /// Starts the transaction. Other writers wait from here on.
    pub(crate) fn begin(conn: &'a SqliteConn) -> Result<Self> {
        if !conn.is_idle() {
            return Err(Error::new(Kind::Internal, "a transaction is open already"));
        }
        // Works only outside a transaction.
        conn.batch("PRAGMA foreign_keys=OFF")?;
        let bulk = Bulk { conn };
        conn.begin_write()?;
        Ok(bulk)
    }

    pub(crate) fn conn(&self) -> &'a dyn Conn {
        self.conn
    }

    /// Takes the indexes off a table that no unique value depends on.
    pub(crate) fn drop_indexes(&self, table: &str) -> Result<Indexes> {
        let sql =
            "SELECT s.name, s.sql FROM pragma_index_list(?1) AS l JOIN sqlite_schema AS s ON s.name = l.name
                    WHERE l.origin = 'c' AND NOT l.\"unique\" ORDER BY s.name";
        let text =
            |row: &dyn Row, i| if let Value::Text(s) = row.get(i) { s.to_owned() } else { String::new() };
        let indexes = self.conn().all(sql, &[Value::Text(table)], |row| Ok((text(row, 0), text(row, 1))))?;
        for (name, _) in &indexes {
            self.conn.batch(&format!("DROP INDEX \"{name}\""))?;
        }
        Ok(Indexes(indexes.into_iter().map(|(_, sql)| sql).collect()))
    }

    /// Puts them back.
    pub(crate) fn create_indexes(&self, indexes: &Indexes) -> Result<()> {
        indexes.0.iter().try_for_each(|sql| self.conn.batch(sql))
    }

    pub(crate) fn commit(self) -> Result<()> {
        self.conn.run("COMMIT")
    }
}

impl Drop for Bulk<'_> {
    fn drop(&mut self) {
        if !self.conn.is_idle() {
            // After an error; the error that brought us here is the one to report.
            let _ = self.conn.run("ROLLBACK");
        }
        // Fails only with the connection itself.
        let _ = self.conn.batch("PRAGMA foreign_keys=ON");
    }
}
