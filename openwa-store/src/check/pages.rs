//! Pages and indexes.

use std::collections::BTreeMap;

use super::{Checker, Counted, Finding, FindingKind, text};
use crate::db::Conn;
use crate::entity::{Database, TABLES};
use crate::error::{Kind, Result};
use crate::text::Text;
use crate::value::{Column, Value};

pub(super) fn check(checker: &mut Checker<'_, '_>, which: Database) -> Result<()> {
    if checker.store.database(which).as_sqlite().is_some() {
        file(checker, which)
    } else {
        server(checker, which)
    }
}

/// What SQLite knows about the file: the tree of each table or index by the number of its first page.
struct Schema {
    /// Name and table of each tree.
    trees: BTreeMap<i64, (String, String)>,
}

impl Schema {
    fn read(conn: &dyn Conn) -> Result<Self> {
        let string = |v: Value<'_>| text(v).unwrap_or_default().to_string();
        let trees =
            conn.all("SELECT rootpage, name, tbl_name FROM sqlite_schema WHERE rootpage > 0", &[], |row| {
                Ok((i64::read(row.get(0)).unwrap_or(0), (string(row.get(1)), string(row.get(2)))))
            })?;
        Ok(Schema { trees: trees.into_iter().collect() })
    }

    fn table_of_index(&self, index: &str) -> Option<&str> {
        self.trees.values().find(|(name, _)| name == index).map(|(_, table)| &**table)
    }
}

fn file(checker: &mut Checker<'_, '_>, which: Database) -> Result<()> {
    let asked = checker.ask(which, which.name(), |conn| {
        let schema = Schema::read(conn)?;
        let mut lines: Vec<Text> = Vec::new();
        // A damaged page may end the statement; what it said before counts. It says a hundred lines at most.
        let ended = conn.query("SELECT integrity_check FROM pragma_integrity_check", &[], &mut |row| {
            lines.extend(text(row.get(0)).filter(|line| *line != "ok"));
            Ok(crate::db::Flow::Continue(()))
        });
        match ended {
            Err(e) if e.kind() == Kind::Corrupt && !lines.is_empty() => {}
            ended => ended?,
        }
        Ok((schema, lines))
    })?;
    let Some((schema, lines)) = asked else { return Ok(()) };
    let mut indexes: BTreeMap<&str, Counted> = BTreeMap::new();
    let mut pages: BTreeMap<String, Counted> = BTreeMap::new();
    for line in &lines {
        match about(line.as_stored()) {
            // The look at every value tells it with the row's key.
            About::Value(table) if TABLES.iter().any(|t| t.name == table) => {}
            About::Index(index) => indexes.entry(index).or_default().add(|| Some(line.clone())),
            About::Tree(root) => {
                let name = schema.trees.get(&root).map(|(name, _)| name.clone()).unwrap_or_default();
                pages.entry(name).or_default().add(|| Some(line.clone()));
            }
            About::Value(_) | About::Other => {
                pages.entry(String::new()).or_default().add(|| Some(line.clone()));
            }
        }
    }
    for (table, counted) in pages {
        let count = counted.count;
        let told = counted.example.unwrap_or_default();
        checker.find(Finding { count, ..Finding::damaged(which, table, told.as_stored()) });
    }
    for (index, counted) in indexes {
        let table = schema.table_of_index(index).unwrap_or_default().to_owned();
        checker.find(Finding::new(FindingKind::DamagedIndex, which, &*table, Some(index), counted, |told| {
            format!("index {index} of {table} does not agree with its table: {told}")
        }));
    }
    Ok(())
}

/// What a line of SQLite's integrity check is about.
#[derive(Debug, PartialEq, Eq)]
enum About<'a> {
    /// An index that does not agree with its table.
    Index(&'a str),
    /// A value that does not fit its column, in a table.
    Value(&'a str),
    /// A tree, by its first page.
    Tree(i64),
    Other,
}

fn about(line: &str) -> About<'_> {
    if let Some((_, index)) = line.rsplit_once(" index ") {
        return About::Index(index.split(' ').next().unwrap_or(index));
    }
    if let Some((_, column)) = line.split_once(" value in ") {
        return About::Value(column.split('.').next().unwrap_or(column));
    }
    // "Tree 7 page 9: …"; older versions say "*** in database main ***" first.
    let after = line.split_once("Tree ").map(|(_, rest)| rest);
    let root = after.and_then(|rest| rest.split(' ').next()).and_then(|n| n.parse().ok());
    root.map_or(About::Other, About::Tree)
}

/// Whether the pages of a server are sound is the server's to say (`pg_amcheck`, checksums); that an index cannot be used
/// since a rebuild was broken off, it does not tell by itself.
fn server(checker: &mut Checker<'_, '_>, which: Database) -> Result<()> {
    let asked = checker.ask(which, "indexes", |conn| {
        conn.all(
            "SELECT t.relname, c.relname FROM pg_catalog.pg_index i
               JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
               JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = this_schema AND NOT i.indisvalid ORDER BY c.relname",
            &[],
            |row| Ok((text(row.get(0)).unwrap_or_default(), text(row.get(1)).unwrap_or_default())),
        )
    })?;
    for (table, index) in asked.unwrap_or_default() {
        let counted = Counted { count: 1, example: None };
        let (table, name) = (table.to_string(), index.to_string());
        checker.find(Finding::new(FindingKind::DamagedIndex, which, &*table, Some(&name), counted, |_| {
            format!("index {name} of {table} cannot be used: building it was broken off")
        }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_integrity_check_are_understood() {
        for (line, wanted) in [
            ("row 5 missing from index idx_messages_wa_timestamp", About::Index("idx_messages_wa_timestamp")),
            (
                "wrong # of entries in index sqlite_autoindex_messages_2",
                About::Index("sqlite_autoindex_messages_2"),
            ),
            ("non-unique entry in index sqlite_autoindex_x_1", About::Index("sqlite_autoindex_x_1")),
            ("NULL value in messages.chat_id", About::Value("messages")),
            ("non-INT value in messages.ack", About::Value("messages")),
            ("Tree 12 page 34: btreeInitPage() returns error code 11", About::Tree(12)),
            ("Tree 7 page 9 cell 3: 2nd reference to page 8", About::Tree(7)),
            ("Page 9: never used", About::Other),
            ("Freelist: size is 3 but should be 4", About::Other),
        ] {
            assert_eq!(about(line), wanted, "{line}");
        }
    }
}
