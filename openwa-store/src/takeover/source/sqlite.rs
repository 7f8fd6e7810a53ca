//! OpenWA's databases as SQLite files, which are never changed.
//!
//! Even a read-only connection may write beside a file: in WAL mode it makes `-wal` and `-shm` files. So:
//!
//! - a file with a journal beside it (`-wal` or `-journal`: OpenWA runs, or was killed, or somebody copied both)
//!   is copied with it, and the copy is read. It is copied again if it changed meanwhile;
//! - a file in WAL mode without a journal is complete in itself and is read as one that nobody changes, and
//!   looked at again afterwards;
//! - any other file is read in one transaction with SQLite's own locks.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::{At, Take};
use crate::db::{told, vfs_name};
use crate::error::{Error, Kind, Result};
use crate::folder;
use crate::takeover::map::{self, MAPPINGS};
use crate::takeover::row::{Cell, SourceRow};
use crate::text::Text;

/// How often a file that changes is copied anew.
const COPIES: u32 = 3;

fn failed(e: rusqlite::Error) -> Error {
    let (kind, text) = told(&e);
    let kind = match kind {
        // A file that is no database was one to its owner.
        Kind::ForeignDatabase => Kind::Corrupt,
        Kind::FileGone => Kind::NotFound,
        kind => kind,
    };
    Error::new(kind, format!("the source cannot be read: {text}")).caused_by(e)
}

/// Makes sure that it is one of OpenWA's.
pub(super) fn check(path: &Path) -> Result<()> {
    let size = fs::metadata(path)?.len();
    let mut header = [0; 32];
    File::open(path)?.read_exact(&mut header).map_err(|_| cut_off())?;
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        n => u64::from(n),
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    if !journals(path).is_empty() {
        // Its copy tells the rest, and a copy of a large file is not made twice.
        return Ok(());
    }
    if size < page * pages {
        return Err(cut_off().with("bytes", size).with("expected", page * pages));
    }
    Opened::new(path)?.tables().map(drop)
}

fn cut_off() -> Error {
    Error::new(Kind::InvalidData, "this SQLite database is cut off: it is shorter than it says")
}

pub(super) fn read(path: &Path, take: &mut dyn Take) -> Result<()> {
    let opened = Opened::new(path)?;
    let tables = opened.tables()?;
    let count = |table: &String| {
        let sql = format!("SELECT count(*) FROM {}", quoted(table));
        opened.conn.query_row(&sql, [], |r| r.get::<_, i64>(0)).map_err(failed).map(|n| n as u64)
    };
    let mut total = 0;
    for table in &tables {
        total += count(table)?;
    }
    let mut done = 0;
    for table in &tables {
        take.table(table)?;
        let sql = format!("SELECT * FROM {}", quoted(table));
        let mut statement = opened.conn.prepare(&sql).map_err(failed)?;
        let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let mut cells = SourceRow::default();
            let mut wrong = None;
            for (i, name) in names.iter().enumerate() {
                match cell(row.get_ref(i).map_err(failed)?) {
                    Some(cell) => cells.push(name.as_str(), cell),
                    None => wrong = Some(crate::takeover::row::Wrong::new(name, "is not UTF-8")),
                }
            }
            done += 1;
            take.row(wrong.map_or(Ok(cells), Err), At { done, total: Some(total) })?;
        }
    }
    opened.unchanged()
}

fn cell(value: ValueRef<'_>) -> Option<Cell> {
    Some(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(n) => Cell::Int(n),
        ValueRef::Real(x) => Cell::Real(x),
        ValueRef::Text(bytes) => {
            Cell::Text(Text::from(std::str::from_utf8(bytes).ok()?).as_stored().to_owned())
        }
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The journals that lie beside a file and hold something.
fn journals(path: &Path) -> Vec<PathBuf> {
    let holds = |p: &PathBuf| fs::metadata(p).is_ok_and(|m| m.len() > 0);
    ["-wal", "-journal"].map(|end| folder::beside(path, end)).into_iter().filter(holds).collect()
}

type Stamp = (u64, Option<SystemTime>);

fn stamp(path: &Path) -> Result<Stamp> {
    let meta = fs::metadata(path)?;
    Ok((meta.len(), meta.modified().ok()))
}

struct Opened {
    conn: Connection,
    /// The file that is read as one that nobody changes, and what it was when that began.
    fixed: Option<(PathBuf, Stamp)>,
}

impl Opened {
    fn new(path: &Path) -> Result<Self> {
        let wal_mode = {
            let mut header = [0; 20];
            File::open(path)?.read_exact(&mut header).map_err(|_| cut_off())?;
            header[18] == 2 || header[19] == 2
        };
        let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let open = |path: &Path, flags| {
            Connection::open_with_flags_and_vfs(path, flags, vfs_name()?).map_err(failed)
        };
        let opened = if !journals(path).is_empty() {
            let copy = Copied::of(path)?;
            let opened = Opened { conn: open(&copy.file(), OpenFlags::default())?, fixed: None };
            // Once SQLite has all its files open, they need no name: so they are gone even if this is killed.
            opened.begin()?;
            return Ok(opened);
        } else if wal_mode {
            let fixed = Some((path.to_owned(), stamp(path)?));
            let conn = open(Path::new(&uri(path)?), read_only)?;
            Opened { conn, fixed }
        } else {
            let conn = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            Opened { conn, fixed: None }
        };
        opened.begin()?;
        Ok(opened)
    }

    fn begin(&self) -> Result<()> {
        let begin = "PRAGMA query_only=ON; PRAGMA trusted_schema=OFF; PRAGMA cache_size=-8000; BEGIN";
        self.conn.execute_batch(begin).map_err(failed)?;
        self.conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)
    }

    /// The tables with rows to take, those that are mapped first.
    fn tables(&self) -> Result<Vec<String>> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid";
        let all = || {
            let mut statement = self.conn.prepare(sql)?;
            let rows = statement.query_map([], |r| r.get::<_, String>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let names = all().map_err(failed)?;
        let there = |name: &str| names.iter().any(|n| n == name);
        if there("openwa_migrations") {
            let text = "this looks like a database of openwa-store itself; there is nothing to take over";
            return Err(Error::new(Kind::ForeignDatabase, text));
        }
        let (keys, data) = (there("api_keys"), there("sessions") && there("messages"));
        if !keys && !data {
            let text = if names.is_empty() {
                "this looks like an empty SQLite database".to_owned()
            } else {
                format!(
                    "this looks like a SQLite database of another program; its tables: {}",
                    names.join(", ")
                )
            };
            return Err(Error::new(Kind::ForeignDatabase, text));
        }
        for mapping in MAPPINGS.iter().filter(|m| there(m.table)) {
            self.check_columns(mapping)?;
        }
        let mut tables: Vec<String> = names.into_iter().filter(|t| !map::is_bookkeeping(t)).collect();
        let place = |t: &String| MAPPINGS.iter().position(|m| m.table == *t).unwrap_or(MAPPINGS.len());
        tables.sort_by_key(place);
        Ok(tables)
    }

    fn check_columns(&self, mapping: &map::Mapping) -> Result<()> {
        let sql = format!("SELECT * FROM {} LIMIT 0", quoted(mapping.table));
        let statement = self.conn.prepare(&sql).map_err(failed)?;
        let there = statement.column_names();
        map::check_columns(mapping, &there)
    }

    /// Makes sure that the file is still what it was.
    fn unchanged(&self) -> Result<()> {
        match &self.fixed {
            Some((path, before)) if stamp(path)? != *before => Err(changing()),
            _ => Ok(()),
        }
    }
}

fn changing() -> Error {
    Error::new(Kind::Busy, "the source is being written to; stop the gateway, then take it over")
}

/// The path as a URI for a file that nobody changes.
fn uri(path: &Path) -> Result<String> {
    let path = fs::canonicalize(path)?;
    let mut uri = String::from("file:");
    let text = path.to_str().ok_or_else(|| {
        Error::new(Kind::InvalidArgument, "the path of a database in WAL mode must be UTF-8")
    })?;
    for b in text.bytes() {
        match b {
            b'?' | b'#' | b'%' => uri.push_str(&format!("%{b:02X}")),
            _ if b.is_ascii() => uri.push(char::from(b)),
            _ => uri.push_str(&format!("%{b:02X}")),
        }
    }
    Ok(uri + "?immutable=1")
}

/// A database and its journal in a private folder, which is removed with this value.
struct Copied(PathBuf);

impl Copied {
    fn of(path: &Path) -> Result<Self> {
        let copy = Copied(private_folder()?);
        for _ in 0..COPIES {
            let journals = journals(path);
            let stamps = || -> Result<Vec<Stamp>> {
                std::iter::once(path).chain(journals.iter().map(PathBuf::as_path)).map(stamp).collect()
            };
            let before = stamps()?;
            fs::copy(path, copy.file())?;
            for journal in &journals {
                let suffix = if journal.as_os_str().as_encoded_bytes().ends_with(b"-wal") {
                    "-wal"
                } else {
                    "-journal"
                };
                fs::copy(journal, copy.0.join(format!("source{suffix}")))?;
            }
            if stamps().is_ok_and(|after| after == before) {
                return Ok(copy);
            }
        }
        Err(changing())
    }

    fn file(&self) -> PathBuf {
        self.0.join("source")
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // It holds what the source holds; nobody else could read it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn private_folder() -> Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|e| Error::new(Kind::Internal, format!("no random numbers: {e}")))?;
    let folder = std::env::temp_dir().join(format!("openwa-takeover-{:016x}", u64::from_le_bytes(random)));
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder)?;
    Ok(folder)
}
