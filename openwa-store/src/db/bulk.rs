//! A transaction that fills or replaces whole tables.

use super::Conn;
use crate::entity::Table;
use crate::error::Result;
use crate::value::Value;

/// One big write, without what would be done for every single row. Whoever writes checks references itself; what
/// belongs to a replaced row stays. Dropped without [`Bulk::commit`], all is undone. Parents are filled before children.
pub(crate) trait Bulk {
    /// Starts the transaction. Other writers of what it touches wait from here on.
    fn begin(&mut self) -> Result<()>;

    /// The open transaction, for looking things up.
    fn conn(&self) -> Result<&dyn Conn>;

    /// Starts on a table. With `replace` its rows go first, and it says how many there were; else rows that are there
    /// already stay as they are.
    fn start(&mut self, table: &'static Table, replace: bool) -> Result<u64>;

    /// Adds a row of that table. It may be written later, together with others: an error that is about an earlier row
    /// has that one's number, counted from 1, in its context.
    fn add(&mut self, values: &[Value<'_>]) -> Result<()>;

    /// Ends the table, and says how many rows were added.
    fn finish(&mut self) -> Result<u64>;

    /// Removes every row of a table that was not started on; says how many there were.
    fn clear(&mut self, table: &'static Table) -> Result<u64>;

    /// How many rows of `table` name a row of `parent` in `column` that will not be there.
    fn orphans(&self, table: &Table, column: &str, parent: &Table) -> Result<i64>;

    /// Takes away what is left of replaced rows. Nothing is written after it.
    fn settle(&mut self) -> Result<()>;

    /// Keeps everything.
    fn commit(&mut self) -> Result<()>;
}
