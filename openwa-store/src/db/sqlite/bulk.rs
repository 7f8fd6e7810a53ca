//! Filling tables in one transaction: foreign keys are not enforced, so that deleting a parent's rows leaves the
//! children alone, and a table of many rows is filled without its indexes.

use super::SqliteConn;
use crate::db::{Bulk, Conn};
use crate::entity::Table;
use crate::error::{Error, Kind, Result};
use crate::value::{Row, Value};

/// Rows from which it pays to fill a table without its indexes and to build these in one go afterwards. With
/// 100,000 messages that saves a little, with 1,000,000 two thirds of the time.
const MANY_ROWS: u64 = 10_000;

pub(super) struct SqliteBulk<'a> {
    conn: &'a SqliteConn,
    table: Option<Filling>,
}

/// The table that is being filled.
struct Filling {
    table: &'static Table,
    insert: String,
    replace: bool,
    rows: u64,
    added: u64,
    /// Statements that put indexes back.
    indexes: Vec<String>,
}

impl<'a> SqliteBulk<'a> {
    pub(super) fn new(conn: &'a SqliteConn) -> Self {
        SqliteBulk { conn, table: None }
    }

    /// Takes the indexes off a table that no unique value depends on.
    fn drop_indexes(&self, table: &str) -> Result<Vec<String>> {
        let sql =
            "SELECT s.name, s.sql FROM pragma_index_list(?1) AS l JOIN sqlite_schema AS s ON s.name = l.name
                    WHERE l.origin = 'c' AND NOT l.\"unique\" ORDER BY s.name";
        let text =
            |row: &dyn Row, i| if let Value::Text(s) = row.get(i) { s.to_owned() } else { String::new() };
        let indexes = (self.conn as &dyn Conn)
            .all(sql, &[Value::Text(table)], |row| Ok((text(row, 0), text(row, 1))))?;
        for (name, _) in &indexes {
            self.conn.batch(&format!("DROP INDEX \"{name}\""))?;
        }
        Ok(indexes.into_iter().map(|(_, sql)| sql).collect())
    }
}

fn not_started() -> Error {
    Error::new(Kind::Internal, "no table was started on")
}

impl Bulk for SqliteBulk<'_> {
    fn begin(&mut self) -> Result<()> {
        if !self.conn.is_idle() {
            return Err(Error::new(Kind::Internal, "a transaction is open already"));
        }
        self.conn.begin_lax()
    }

    fn conn(&self) -> Result<&dyn Conn> {
        Ok(self.conn)
    }

    fn start(&mut self, table: &'static Table, replace: bool) -> Result<u64> {
        let removed = if replace { self.clear(table)? } else { 0 };
        let insert = table.insert() + if replace { "" } else { " ON CONFLICT DO NOTHING" };
        self.table = Some(Filling { table, insert, replace, rows: 0, added: 0, indexes: Vec::new() });
        Ok(removed)
    }

    fn add(&mut self, values: &[Value<'_>]) -> Result<()> {
        let mut filling = self.table.take().ok_or_else(not_started)?;
        filling.rows += 1;
        if filling.rows == MANY_ROWS && filling.replace {
            filling.indexes = self.drop_indexes(filling.table.name)?;
        }
        filling.added += self.conn.execute(&filling.insert, values)?;
        self.table = Some(filling);
        Ok(())
    }

    fn finish(&mut self) -> Result<u64> {
        let filling = self.table.take().ok_or_else(not_started)?;
        filling.indexes.iter().try_for_each(|sql| self.conn.batch(sql))?;
        Ok(filling.added)
    }

    fn clear(&mut self, table: &'static Table) -> Result<u64> {
        self.conn.execute(&format!("DELETE FROM {}", table.name), &[])
    }

    fn orphans(&self, table: &Table, column: &str, parent: &Table) -> Result<i64> {
        let sql = format!(
            "SELECT count(*) FROM {} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT {} FROM {})",
            table.name, parent.key[0], parent.name
        );
        (self.conn as &dyn Conn).integer(&sql, &[])
    }

    fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.conn.run("COMMIT")
    }
}

impl Drop for SqliteBulk<'_> {
    fn drop(&mut self) {
        if !self.conn.is_idle() {
            // After an error; the error that brought us here is the one to report.
            let _ = self.conn.run("ROLLBACK");
        }
        // If this fails, so does the next transaction.
        let _ = self.conn.enforce();
    }
}
