//! What may be taken over, recognised by what it is and not by its name.

mod credentials;
mod export;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::row::{SourceRow, Wrong};
use crate::error::{Error, Kind, Result};

pub(super) use credentials::{Credential, Credentials};

/// How far a source is, in rows or bytes.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) done: u64,
    pub(super) total: Option<u64>,
}

/// Takes what a source gives.
pub(super) trait Take {
    /// The rows that follow are of this table.
    fn table(&mut self, table: &str) -> Result<()>;
    /// One row, or what is wrong with it.
    fn row(&mut self, row: Result<SourceRow, Wrong>, at: At) -> Result<()>;
    /// Something that people should know.
    fn note(&mut self, note: String);
}

/// One source.
pub(super) struct Source {
    /// How it is called: its path, or its address without the password.
    pub(super) name: String,
    what: What,
}

enum What {
    Sqlite(PathBuf),
    Export(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Address),
    Credentials(Credentials),
}

const SQLITE: &[u8] = b"SQLite format 3\0";
const GZIP: &[u8] = &[0x1F, 0x8B];
const ZSTD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
const ZIP: &[u8] = b"PK\x03\x04";

impl Source {
    /// Looks at a source.
    ///
    /// Fails with `InvalidData` or `ForeignDatabase` saying what it looks like.
    pub(super) fn recognise(given: &str) -> Result<Self> {
        if given.starts_with("postgres://") || given.starts_with("postgresql://") {
            return Self::postgres(given);
        }
        let path = Path::new(given);
        let look = || {
            if std::fs::metadata(path)?.is_dir() {
                return folder(path);
            }
            file(path)
        };
        let what = look().map_err(|e| e.with("source", given))?;
        Ok(Source { name: given.to_owned(), what })
    }

    #[cfg(feature = "postgres")]
    fn postgres(given: &str) -> Result<Self> {
        let address = postgres::Address::parse(given)?;
        Ok(Source { name: address.shown(), what: What::Postgres(address) })
    }

    #[cfg(not(feature = "postgres"))]
    fn postgres(_: &str) -> Result<Self> {
        Err(Error::new(Kind::Unsupported, "this build has no PostgreSQL client"))
    }

    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match &self.what {
            What::Sqlite(_) => "SQLite database of OpenWA",
            What::Export(_) => "export of OpenWA",
            #[cfg(feature = "postgres")]
            What::Postgres(_) => "PostgreSQL database of OpenWA",
            What::Credentials(c) => c.kind(),
        }
    }

    /// The credentials of one session, if that is what it is.
    pub(super) fn credentials(&self) -> Option<&Credentials> {
        if let What::Credentials(c) = &self.what { Some(c) } else { None }
    }

    /// Hands over every row of a source that has rows.
    pub(super) fn read(&self, take: &mut dyn Take) -> Result<()> {
        let done = match &self.what {
            What::Sqlite(path) => sqlite::read(path, take),
            What::Export(path) => export::read(path, take),
            #[cfg(feature = "postgres")]
            What::Postgres(address) => postgres::read(address, take),
            What::Credentials(_) => Ok(()),
        };
        done.map_err(|e| e.with("source", &self.name))
    }
}

fn folder(path: &Path) -> Result<What> {
    if path.join("creds.json").is_file() {
        return Ok(What::Credentials(Credentials::folder(path)?));
    }
    let there = |name: &str| path.join(name).is_file();
    let text = if there("main.sqlite") || there("openwa.sqlite") {
        "this folder looks like OpenWA's data folder; name its files: main.sqlite, openwa.sqlite"
    } else {
        "this folder has no creds.json, so it is no auth folder of Baileys; nothing else that is a folder can be taken over"
    };
    Err(Error::new(Kind::InvalidData, text))
}

fn file(path: &Path) -> Result<What> {
    let first = head(&mut File::open(path)?)?;
    if first.starts_with(SQLITE) {
        sqlite::check(path)?;
        return Ok(What::Sqlite(path.to_owned()));
    }
    if first.starts_with(ZIP) {
        return Ok(What::Credentials(Credentials::zip(path)?));
    }
    if first.starts_with(GZIP) || first.starts_with(ZSTD) {
        let inside = head(&mut unpack(File::open(path)?)?)?;
        if inside.starts_with(SQLITE) {
            return Err(looks_like("a compressed SQLite database; unpack it first"));
        }
        begins_like_an_export(&inside, true)?;
        return Ok(What::Export(path.to_owned()));
    }
    begins_like_an_export(&first, false)?;
    Ok(What::Export(path.to_owned()))
}

fn head(from: &mut dyn Read) -> Result<Vec<u8>> {
    let mut first = Vec::new();
    match from.take(512).read_to_end(&mut first) {
        Ok(_) => Ok(first),
        Err(e) if first.is_empty() => Err(damaged(e)),
        Err(_) => Ok(first),
    }
}

/// An error of the compression is one of the file.
pub(super) fn damaged(e: io::Error) -> Error {
    if e.raw_os_error().is_some() {
        return e.into();
    }
    Error::new(Kind::InvalidData, "this is compressed, and damaged or cut off").caused_by(e)
}

pub(super) fn looks_like(what: &str) -> Error {
    Error::new(Kind::InvalidData, format!("this looks like {what}"))
}

fn begins_like_an_export(first: &[u8], packed: bool) -> Result<()> {
    let text = first.trim_ascii_start();
    let starts = |mark: &[u8]| text.starts_with(mark);
    if starts(b"{") && !starts(b"{\0") {
        return Ok(());
    }
    Err(match text {
        [] if packed => Error::new(Kind::InvalidData, "this is compressed, and what is in it is empty"),
        [] => Error::new(Kind::InvalidData, "this file is empty"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'{', 0, ..] | [0, b'{', ..] => {
            looks_like("text in UTF-16; an export of OpenWA is in UTF-8")
        }
        [0xEF, 0xBB, 0xBF, ..] => {
            looks_like("text that an editor has saved with a byte order mark; an export of OpenWA has none")
        }
        _ if starts(b"[") => looks_like("a JSON list; an export of OpenWA is an object with \"tables\""),
        _ if starts(b"--") || starts(b"PGDMP") || starts(b"CREATE ") || starts(b"SET ") => looks_like(
            "a dump of a PostgreSQL database; load it into an empty database and give that database's URL",
        ),
        _ if starts(b"<") => looks_like("a web page, or an answer that was no export"),
        _ if std::str::from_utf8(text).is_err() && text.iter().any(|b| *b < 9) => {
            looks_like("no file that OpenWA, Baileys or whatsapp-web.js writes")
        }
        _ => looks_like("text that is no export of OpenWA"),
    })
}

/// The plain content of a file that may be compressed with gzip or zstd.
pub(super) fn unpack<'r>(mut from: impl Read + 'r) -> Result<Box<dyn Read + 'r>> {
    let mut first = Vec::with_capacity(ZSTD.len());
    from.by_ref().take(ZSTD.len() as u64).read_to_end(&mut first)?;
    let (gzip, zstd) = (first.starts_with(GZIP), first.starts_with(ZSTD));
    let whole = io::Cursor::new(first).chain(from);
    Ok(if gzip {
        Box::new(flate2::read::MultiGzDecoder::new(whole))
    } else if zstd {
        Box::new(zstd::Decoder::new(whole)?)
    } else {
        Box::new(whole)
    })
}
