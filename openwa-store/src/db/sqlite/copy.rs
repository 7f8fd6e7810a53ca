//! A copy of a database while it is in use.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::failure::failure;
use super::{Sqlite, SqliteConn, create_private, vfs};
use crate::db::Conn;
use crate::error::{Error, Kind, Result};

/// Pages per step, a megabyte of the usual ones.
const STEP: i32 = 256;
/// After so many steps what was copied is brought to the disk. Left to the system it would go there all at once, and the
/// writer's sync would wait behind it.
const STEPS_PER_SYNC: u32 = 4;
/// Pause between steps, for the readers and writers that want the disk as well.
const PAUSE: Duration = Duration::from_millis(1);
/// How long a lock of another process is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A SQLite database as of one moment, whoever writes meanwhile. While it is held the write-ahead log only grows.
pub(crate) struct Frozen {
    conn: SqliteConn,
}

impl Sqlite {
    /// The database as of this moment.
    pub(crate) fn freeze(&self) -> Result<Frozen> {
        let conn = if self.file().in_memory() {
            self.writer().with_conn(SqliteConn::copy_to_memory)?
        } else {
            self.file().open_reader()?
        };
        conn.begin_read()?;
        Ok(Frozen { conn })
    }
}

impl Frozen {
    /// Pages, and bytes of a page.
    pub(crate) fn size(&self) -> Result<(u64, u64)> {
        let ask = |sql| (&self.conn as &dyn Conn).integer(sql, &[]);
        let natural = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok((natural(ask("PRAGMA page_count")?), natural(ask("PRAGMA page_size")?)))
    }

    /// Writes the database into a new file that only its owner may read. `each` hears how many pages are done, of how
    /// many, and may end it with an error.
    pub(crate) fn copy_to(&self, path: &Path, each: &mut dyn FnMut(u64, u64) -> Result<()>) -> Result<()> {
        create_private(path)?;
        let told = |e: &rusqlite::Error| failure(e).with("path", path.display());
        let mut to = Connection::open_with_flags_and_vfs(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_EXRESCODE,
            vfs::name()?,
        )
        .map_err(|e| told(&e))?;
        // Nobody else sees the file before it is complete, and half a file is worth nothing.
        to.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF").map_err(|e| told(&e))?;
        let disk = File::options().write(true).open(path)?;
        {
            let copying = Backup::new(&self.conn.conn, &mut to).map_err(|e| told(&e))?;
            let (mut steps, mut since) = (0, Instant::now());
            loop {
                let step = copying.step(STEP).map_err(|e| told(&e))?;
                let (left, all) = (copying.progress().remaining, copying.progress().pagecount);
                let pages = |n: i32| u64::try_from(n).unwrap_or(0);
                each(pages(all - left), pages(all))?;
                match step {
                    StepResult::Done => break,
                    StepResult::More => since = Instant::now(),
                    _ if since.elapsed() < PATIENCE => {}
                    _ => {
                        return Err(Error::new(
                            Kind::Busy,
                            "another process holds the database for too long",
                        ));
                    }
                }
                steps += 1;
                if steps % STEPS_PER_SYNC == 0 {
                    disk.sync_data()?;
                }
                std::thread::sleep(PAUSE);
            }
        }
        to.close().map_err(|(_, e)| told(&e))?;
        disk.sync_all()?;
        Ok(())
    }
}
