//! One import into two databases.
//!
//! Data is committed before Main. So that an import which ends between the two is not left half done, its
//! rows of Main stand in a file beside Main by then, and Data is committed with a row that names the file by
//! its token. Main is committed with that token as well. Whoever finds the file, a later opening or the
//! import itself, finishes it: with the token in Main all is done; with the token in Data only, Main takes
//! the rows from the file; with none nothing was committed.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::import::take_main;
use super::{FORMAT, ImportOptions, Missing, Mode, VERSION, hex};
use crate::db::{Conn, LOCK_WAIT, Turn, Wait};
use crate::entity::{Database, Table};
use crate::error::{Error, Kind, Result};
use crate::folder;
use crate::store::Store;
use crate::time::Timestamp;
use crate::value::Value;

/// The job under which Main has the token of its last import. In Data the token belongs to the name.
const JOB: &str = "import";

/// The rows of Main on their way into the file.
pub(super) struct Journal {
    path: PathBuf,
    token: String,
    to: BufWriter<File>,
    hash: Sha256,
    counts: serde_json::Map<String, Json>,
    rows: u64,
}

impl Journal {
    /// Starts the file. `None`: Main is in memory and does not outlive its process.
    pub(super) fn start(store: &Store, options: &ImportOptions) -> Result<Option<Self>> {
        let Some(path) = path(store) else { return Ok(None) };
        let mut how = OpenOptions::new();
        how.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
        let file = how.open(&path).map_err(|e| Error::from(e).with("path", path.display()))?;
        let (token, now) = (Uuid::now_v7().to_string(), store.env().now());
        let (hash, counts) = (Sha256::new(), serde_json::Map::new());
        let mut journal = Journal { path, token, to: BufWriter::new(file), hash, counts, rows: 0 };
        let replace = options.mode == Mode::Replace;
        let clear = options.missing == Missing::Clear;
        let head = json!({ "token": journal.token, "replace": replace, "clear": clear });
        let text = format!(
            "{head}\n{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"exportedAt\":\"{now}\",\"redacted\":[],\"tables\":"
        );
        journal.to.write_all(text.as_bytes())?;
        journal.add(b"{")?;
        Ok(Some(journal))
    }

    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.to.write_all(bytes).map_err(|e| Error::from(e).with("path", self.path.display()))
    }

    pub(super) fn start_table(&mut self, table: &Table) -> Result<()> {
        self.rows = 0;
        let comma = if self.counts.is_empty() { "" } else { "," };
        self.add(format!("{comma}\"{}\":[", table.name).as_bytes())
    }

    pub(super) fn row(&mut self, row: &[u8]) -> Result<()> {
        if self.rows > 0 {
            self.add(b",")?;
        }
        self.rows += 1;
        self.add(row)
    }

    pub(super) fn end_table(&mut self, table: &Table) -> Result<()> {
        self.counts.insert(table.name.to_owned(), self.rows.into());
        self.add(b"]")
    }

    /// Makes the file whole and durable. From here on Data may be committed, with
    /// [`note`](Sealed::note_in_data).
    pub(super) fn seal(mut self) -> Result<Sealed> {
        self.add(b"}")?;
        let counts = Json::from(std::mem::take(&mut self.counts));
        let hash = hex(std::mem::take(&mut self.hash));
        let told = |e: std::io::Error| Error::from(e).with("path", self.path.display());
        write!(self.to, ",\"counts\":{counts},\"sha256\":\"{hash}\"}}").map_err(told)?;
        self.to.flush().map_err(told)?;
        self.to.get_ref().sync_all().map_err(told)?;
        folder::sync(folder::of(&self.path)).map_err(told)?;
        Ok(Sealed { token: self.token })
    }
}

/// A file that is whole.
pub(super) struct Sealed {
    token: String,
}

impl Sealed {
    pub(super) fn note_in_data(&self, conn: &dyn Conn, now: Timestamp) -> Result<()> {
        note(conn, &format!("{JOB} {}", self.token), &self.token, now)
    }

    pub(super) fn note_in_main(&self, conn: &dyn Conn, now: Timestamp) -> Result<()> {
        note(conn, JOB, &self.token, now)
    }
}

fn note(conn: &dyn Conn, job: &str, token: &str, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO openwa_maintenance (job, schedule, timezone, slot, attempt, runner, started_at)
               VALUES (?1, '', '', ?3, 1, ?2, ?3)
               ON CONFLICT (job) DO UPDATE SET runner = excluded.runner, slot = excluded.slot,
                 started_at = excluded.started_at";
    conn.execute(sql, &[Value::Text(job), Value::Text(token), Value::Time(now)]).map(drop)
}

fn is_noted(conn: &dyn Conn, job: &str, token: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM openwa_maintenance WHERE job = ?1 AND runner = ?2";
    Ok(conn.first(sql, &[Value::Text(job), Value::Text(token)], |_| Ok(()))?.is_some())
}

fn path(store: &Store) -> Option<PathBuf> {
    Some(folder::beside(&store.config().main_path()?, ".importing"))
}

/// Has imports into Main to itself, as long as it is held.
pub(super) fn turn(store: &Store) -> Result<Turn> {
    let mut wait = Wait::at_most(LOCK_WAIT);
    loop {
        if let Some(turn) = store.database(Database::Main).turn(JOB)? {
            return Ok(turn);
        }
        if !wait.again() {
            let text = "another import into this store does not come to its end; try again when it is done";
            return Err(Error::new(Kind::Busy, text));
        }
    }
}

/// Finishes an import that ended between its two commits, unless it is under way.
pub(crate) fn finish_import(store: &Store) -> Result<()> {
    let Some(path) = path(store).filter(|path| path.exists()) else { return Ok(()) };
    match store.database(Database::Main).turn(JOB)? {
        Some(_turn) => finish(store, &path).map(drop),
        None => Ok(()),
    }
}

/// The same for who has the turn. True: an import was there, and both databases have it now.
pub(super) fn finish_own(store: &Store) -> Result<bool> {
    path(store).filter(|path| path.exists()).map_or(Ok(false), |path| finish(store, &path))
}

fn finish(store: &Store, path: &Path) -> Result<bool> {
    let told = |e: Error| e.with("path", path.display());
    let (main, data) = (store.database(Database::Main), store.database(Database::Data));
    let mut file = BufReader::new(File::open(path).map_err(|e| told(e.into()))?);
    let mut head = String::new();
    // What ends in the middle was not sealed.
    let head = file.read_line(&mut head).ok().and_then(|_| serde_json::from_str::<Json>(&head).ok());
    let mut committed = false;
    if let Some((head, token)) = head.as_ref().and_then(|head| Some((head, head["token"].as_str()?))) {
        let job = format!("{JOB} {token}");
        committed = data.read(|conn| is_noted(conn, &job, token))?;
        if committed {
            if !main.read(|conn| is_noted(conn, JOB, token))? {
                let yes = |name: &str| head[name] == Json::Bool(true);
                let options = ImportOptions {
                    mode: if yes("replace") { Mode::Replace } else { Mode::Merge },
                    missing: if yes("clear") { Missing::Clear } else { Missing::Keep },
                    dry_run: false,
                };
                let sealed = Sealed { token: token.to_owned() };
                take_main(store, &mut file, &options, &sealed).map_err(|e| {
                    let text = "an import that was interrupted has reached Data but not Main, and cannot be \
                                finished; mend the cause and open again, or remove the file and import again";
                    told(Error::new(e.kind(), format!("{text}: {}", e.message())).caused_by(e))
                })?;
            }
            store
                .write("import", move |conn, _| {
                    conn.execute("DELETE FROM openwa_maintenance WHERE job = ?1", &[Value::Text(&job)])
                })
                .wait()?;
        }
    }
    std::fs::remove_file(path).map_err(|e| told(e.into()))?;
    Ok(committed)
}
