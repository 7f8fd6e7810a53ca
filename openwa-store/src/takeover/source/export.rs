//! OpenWA's own export: one JSON document with a list of rows per table, in any order.

use std::cell::Cell as Counter;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use serde_json::Value;

use super::{At, Take, damaged, looks_like, unpack};
use crate::error::{Error, Kind, Result};
use crate::takeover::map;
use crate::takeover::row::SourceRow;
use crate::transfer::Scanner;

/// Counts what is read of a file.
struct Counted<R> {
    inner: R,
    read: Rc<Counter<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}

/// Tells an error of the compression apart from one of the disk, as the scanner does for its own documents.
struct Unpacked<R>(R);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|e| match e.raw_os_error() {
            Some(_) => e,
            None => io::Error::new(io::ErrorKind::InvalidData, e),
        })
    }
}

pub(super) fn read(path: &Path, take: &mut dyn Take) -> Result<()> {
    let file = File::open(path)?;
    let total = Some(file.metadata()?.len());
    let read = Rc::new(Counter::new(0));
    let counted = Counted { inner: BufReader::new(file), read: Rc::clone(&read) };
    let plain = unpack(counted).map_err(|e| e.with("byte", 0))?;
    let mut document =
        Document { scanner: Scanner::new(Box::new(Unpacked(plain))), read, total, tables: false };
    document.members(take).map_err(|e| if e.kind() == Kind::Io { damaged(io::Error::other(e)) } else { e })
}

struct Document<'r> {
    scanner: Scanner<'r>,
    read: Rc<Counter<u64>>,
    total: Option<u64>,
    tables: bool,
}

impl Document<'_> {
    fn members(&mut self, take: &mut dyn Take) -> Result<()> {
        self.scanner.expect(b'{')?;
        let mut counts = None;
        let mut rows = Vec::new();
        if !self.scanner.accept(b'}')? {
            loop {
                let name = self.name()?;
                match name.as_str() {
                    "tables" if self.scanner.peek()? == Some(b'{') => rows = self.read_tables(take)?,
                    "tables" => return Err(looks_like("a document whose \"tables\" is no object")),
                    "format" | "version" | "formatVersion" => return Err(self.another(&name)?),
                    "counts" => counts = Some(self.json()?),
                    "skippedTables" | "omittedInlineMedia" => note(&name, &self.json()?, take),
                    _ => drop(self.scanner.value()?.len()),
                }
                if !self.scanner.accept(b',')? {
                    break;
                }
            }
            self.scanner.expect(b'}')?;
        }
        if self.scanner.peek()?.is_some() {
            return Err(self.scanner.wrong("something follows the end of the document"));
        }
        if !self.tables {
            return Err(looks_like("JSON, but no export of OpenWA: it has no \"tables\""));
        }
        let counts = counts.as_ref().and_then(Value::as_object);
        for (exported, read) in rows {
            let told = counts.and_then(|c| c.get(&exported)).and_then(Value::as_u64);
            if let Some(told) = told.filter(|told| *told != read) {
                let text =
                    format!("{exported} has {read} rows, its count says {told}: the export is not whole");
                return Err(Error::new(Kind::InvalidData, text).with("table", exported));
            }
        }
        Ok(())
    }

    /// A document that says of which format or version it is: OpenWA's does not.
    fn another(&mut self, name: &str) -> Result<Error> {
        let value = self.json()?;
        Ok(match (name, value.as_str()) {
            ("format", Some("openwa-store")) => {
                looks_like("an export of openwa-store itself; read it with `openwa import`")
            }
            _ => looks_like(&format!(
                "a document of another program, or of a newer OpenWA: {name} is {value}, which no export up to now has"
            ))
            .with("version", &value),
        })
    }

    fn read_tables(&mut self, take: &mut dyn Take) -> Result<Vec<(String, u64)>> {
        if std::mem::replace(&mut self.tables, true) {
            return Err(self.scanner.wrong("\"tables\" stands twice"));
        }
        let mut read = Vec::new();
        self.scanner.expect(b'{')?;
        if self.scanner.accept(b'}')? {
            return Ok(read);
        }
        loop {
            let exported = self.name()?;
            let table = map::table_name(&exported);
            take.table(&table)?;
            let rows = self.rows(take).map_err(|e| e.with("table", &table))?;
            read.push((exported, rows));
            if !self.scanner.accept(b',')? {
                break;
            }
        }
        self.scanner.expect(b'}')?;
        Ok(read)
    }

    fn rows(&mut self, take: &mut dyn Take) -> Result<u64> {
        let mut rows = 0;
        self.scanner.expect(b'[')?;
        if self.scanner.accept(b']')? {
            return Ok(rows);
        }
        loop {
            rows += 1;
            let at = |e: Error| e.with("row", rows);
            let row = SourceRow::from_json(self.scanner.value().map_err(at)?);
            take.row(row, At { done: self.read.get(), total: self.total }).map_err(at)?;
            if !self.scanner.accept(b',').map_err(at)? {
                break;
            }
        }
        self.scanner.expect(b']')?;
        Ok(rows)
    }

    fn name(&mut self) -> Result<String> {
        let Value::String(name) = self.json()? else {
            return Err(self.scanner.wrong("here should be a name"));
        };
        self.scanner.expect(b':')?;
        Ok(name)
    }

    fn json(&mut self) -> Result<Value> {
        let value = serde_json::from_slice(self.scanner.value()?);
        value.map_err(|_| self.scanner.wrong("this is not JSON"))
    }
}

/// What the export says of itself that is not whole.
fn note(name: &str, value: &Value, take: &mut dyn Take) {
    let skipped: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !skipped.is_empty() {
        take.note(format!(
            "the export skipped tables that its database did not have: {}",
            skipped.join(", ")
        ));
    }
    let omitted: u64 = value.as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
    if name == "omittedInlineMedia" && omitted > 0 {
        take.note(format!(
            "the export left out {omitted} media files, which were larger than its budget; take over from the database to keep them"
        ));
    }
}
