//! SQL as the repositories write it, in the form in which the server wants it: `$n` for `?n`, every table with its
//! schema, and the schema's name for `this_schema` (as text) and `in_this_schema`. A search path would be simpler, but behind a pooler it
//! would stay with the connection and reach others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::db::lock;

/// Texts that are kept; the library issues some two hundred different ones.
const KEPT: usize = 1000;

pub(super) struct Texts {
    /// The schema's name as an identifier, and as text.
    schema: String,
    literal: String,
    /// Tables and functions.
    names: Vec<&'static str>,
    known: Mutex<HashMap<String, Arc<str>>>,
}

impl Texts {
    pub(super) fn new(schema: &str, names: Vec<&'static str>) -> Self {
        let literal = format!("'{}'", schema.replace('\'', "''"));
        Texts { schema: quoted(schema), literal, names, known: Mutex::default() }
    }

    /// The schema's name, quoted.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn translate(&self, sql: &str) -> Arc<str> {
        if let Some(text) = lock(&self.known).get(sql) {
            return Arc::clone(text);
        }
        let text: Arc<str> = self.rewrite(sql).into();
        let mut known = lock(&self.known);
        if known.len() < KEPT {
            known.insert(sql.to_owned(), Arc::clone(&text));
        }
        text
    }

    fn rewrite(&self, sql: &str) -> String {
        let mut out = String::with_capacity(sql.len() + 64);
        let mut rest = sql;
        // Whether the last word says that a table comes next.
        let mut table_next = false;
        while let Some(c) = rest.chars().next() {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let len = match c {
                '\'' | '"' => rest[1..].find(c).map_or(rest.len(), |end| end + 2),
                c if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
                c => c.len_utf8(),
            };
            let (piece, tail) = rest.split_at(len);
            match piece {
                "?" => out.push('$'),
                "this_schema" => out.push_str(&self.literal),
                "in_this_schema" => out.push_str(&self.schema),
                _ if (table_next || tail.starts_with('(')) && self.names.contains(&piece) => {
                    out.push_str(&self.schema);
                    out.push('.');
                    out.push_str(piece);
                }
                _ => out.push_str(piece),
            }
            if !piece.trim().is_empty() {
                table_next = matches!(piece, "FROM" | "JOIN" | "INTO" | "UPDATE" | "TABLE" | "ONLY");
            }
            rest = tail;
        }
        out
    }
}

/// An identifier in quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_get_their_schema_and_parameters_a_dollar() {
        let texts = Texts::new("a\"b", vec!["messages", "identities"]);
        for (given, wanted) in [
            ("SELECT id FROM messages WHERE id = ?1", r#"SELECT id FROM "a""b".messages WHERE id = $1"#),
            (
                "INSERT INTO identities (lid) VALUES (?12) ON CONFLICT (lid) DO UPDATE SET lid = identities.lid",
                r#"INSERT INTO "a""b".identities (lid) VALUES ($12) ON CONFLICT (lid) DO UPDATE SET lid = identities.lid"#,
            ),
            (
                "UPDATE messages SET body = 'FROM messages ?1'",
                r#"UPDATE "a""b".messages SET body = 'FROM messages ?1'"#,
            ),
            ("SELECT m.id FROM unnest(?1) AS messages", "SELECT m.id FROM unnest($1) AS messages"),
        ] {
            assert_eq!(&*texts.translate(given), wanted);
        }
    }
}
