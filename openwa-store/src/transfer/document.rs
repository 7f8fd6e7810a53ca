//! The parts of a document, in their order, while it is being read; see the [module](super) for the format.

use std::io::Read;

use serde_json::Value;

use super::scan::Scanner;
use super::{FORMAT, VERSION};
use crate::entity::{TABLES, Table};
use crate::error::{Error, Kind, Result};
use crate::time::Timestamp;

/// A document whose tables come next.
pub(super) struct Document<'r> {
    scanner: Scanner<'r>,
    /// When it was made.
    pub(super) exported_at: Timestamp,
    /// What it leaves out.
    pub(super) redacted: Vec<String>,
    /// Place in [`TABLES`] behind the last table; `None`: no table was read yet.
    behind: Option<usize>,
    /// Whether no row of the table was read yet.
    first_row: bool,
}

impl<'r> Document<'r> {
    /// Reads everything before the tables.
    pub(super) fn open(from: Box<dyn Read + 'r>) -> Result<Self> {
        let mut scanner = Scanner::new(from);
        match scanner.peek()? {
            Some(b'{') => scanner.expect(b'{')?,
            Some(_) => return Err(not_ours()),
            None => return Err(scanner.cut_off()),
        }
        let (mut format, mut version, mut exported_at, mut redacted) = (None, None, None, Vec::new());
        loop {
            let name = member(&mut scanner)?;
            if name == "tables" {
                break;
            }
            let value = json(&mut scanner)?;
            match name.as_str() {
                "format" => format = value.as_str().map(str::to_owned),
                "version" => version = value.as_u64(),
                "exportedAt" => exported_at = value.as_str().and_then(|s| Timestamp::parse(s).ok()),
                "dataDbType" => {}
                "redacted" => {
                    let names = serde_json::from_value(value);
                    redacted = names.map_err(|_| scanner.wrong("redacted is not a list of names"))?;
                }
                _ if format.is_none() => return Err(not_ours()),
                _ => return Err(scanner.wrong(format!("a document has no member {name:?} here"))),
            }
            scanner.expect(b',')?;
        }
        if format.as_deref() != Some(FORMAT) {
            return Err(not_ours());
        }
        match version {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => {
                let text = format!(
                    "the document has version {newer}, this library reads up to {VERSION}; use a newer library"
                );
                return Err(Error::new(Kind::InvalidData, text).with("version", newer));
            }
            _ => return Err(scanner.wrong("the document does not say its version")),
        }
        let exported_at = exported_at.ok_or_else(|| scanner.wrong("exportedAt is missing or not a time"))?;
        scanner.start_hash()?;
        scanner.expect(b'{')?;
        Ok(Document { scanner, exported_at, redacted, behind: None, first_row: true })
    }

    /// Goes on to the next table. `None`: that was the last.
    pub(super) fn next_table(&mut self) -> Result<Option<&'static Table>> {
        if self.scanner.accept(b'}')? {
            return Ok(None);
        }
        if self.behind.is_some() {
            self.scanner.expect(b',')?;
        }
        let name = member(&mut self.scanner)?;
        let Some(index) = TABLES.iter().position(|t| t.name == name) else {
            let text = format!("there is no table {name:?}; a newer version may have it");
            return Err(Error::new(Kind::InvalidData, text).with("table", name));
        };
        if self.behind.is_some_and(|behind| index < behind) {
            let text = "the tables do not stand in their order, parents before children";
            return Err(Error::new(Kind::InvalidData, text).with("table", name));
        }
        self.behind = Some(index + 1);
        self.first_row = true;
        self.scanner.expect(b'[').map_err(|e| e.with("table", name))?;
        Ok(Some(TABLES[index]))
    }

    /// Goes on to the next row of the table. `None`: that was the last.
    pub(super) fn next_row(&mut self) -> Result<Option<&[u8]>> {
        if self.scanner.accept(b']')? {
            return Ok(None);
        }
        if !std::mem::take(&mut self.first_row) {
            self.scanner.expect(b',')?;
        }
        match self.scanner.peek()? {
            Some(b'{') => self.scanner.value().map(Some),
            Some(_) => Err(self.scanner.wrong("a row is not an object")),
            None => Err(self.scanner.cut_off()),
        }
    }

    /// Reads what follows the tables, and compares counts and checksum with what was read.
    pub(super) fn finish(mut self, read: &[(&'static str, u64)]) -> Result<()> {
        let hash = self.scanner.take_hash();
        let (mut counts, mut checksum) = (None, None);
        while self.scanner.accept(b',')? {
            let name = member(&mut self.scanner)?;
            let value = json(&mut self.scanner)?;
            match name.as_str() {
                "counts" => counts = Some(value),
                "sha256" => checksum = Some(value),
                _ => return Err(self.scanner.wrong(format!("a document has no member {name:?} here"))),
            }
        }
        self.scanner.expect(b'}')?;
        if self.scanner.peek()?.is_some() {
            return Err(self.scanner.wrong("something follows the end of the document"));
        }
        let Some(Value::Object(counts)) = counts else {
            return Err(self.scanner.wrong("the document does not say how many rows each table has"));
        };
        for (table, rows) in read {
            if counts.get(*table).and_then(Value::as_u64) != Some(*rows) {
                let told = counts.get(*table).map_or("nothing".to_owned(), Value::to_string);
                let text = format!("{table} has {rows} rows, its count says {told}");
                return Err(Error::new(Kind::InvalidData, text).with("table", table));
            }
        }
        if let Some(table) = counts.keys().find(|name| !read.iter().any(|(table, _)| table == name)) {
            let text = format!("{table} has a count, but no rows");
            return Err(Error::new(Kind::InvalidData, text).with("table", table));
        }
        if checksum.as_ref().and_then(Value::as_str) != Some(&hash) {
            let text = "the checksum of the tables is not the one the document gives: it was changed";
            return Err(Error::new(Kind::InvalidData, text).with("sha256", hash));
        }
        Ok(())
    }
}

/// A member's name and the colon behind it.
fn member(scanner: &mut Scanner<'_>) -> Result<String> {
    let name = match json(scanner)? {
        Value::String(name) => name,
        _ => return Err(scanner.wrong("here should be a name")),
    };
    scanner.expect(b':')?;
    Ok(name)
}

/// A small value, parsed.
fn json(scanner: &mut Scanner<'_>) -> Result<Value> {
    match serde_json::from_slice(scanner.value()?) {
        Ok(value) => Ok(value),
        Err(_) => Err(scanner.wrong("not JSON")),
    }
}

fn not_ours() -> Error {
    Error::new(Kind::InvalidData, "this is no export of openwa-store: it does not start with its format")
}
