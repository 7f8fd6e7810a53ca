//! What takes long inside a single statement: on a connection of its own, on a thread of its own, so that the caller's
//! thread can ask now and then whether it shall go on.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::{Sqlite, SqliteConn};
use crate::db::Conn;
use crate::db::Flow;
use crate::error::{Error, Kind, Result};

/// How often is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long a rebuilt file waits for readers before it is left to the next checkpoint.
const READERS: Duration = Duration::from_secs(1);
/// A rebuild needs this many hundredths of what the rows take: the copy, and the log that carries it into the file.
const ROOM: u64 = 110;

impl Sqlite {
    /// Runs a read. It fails with `Cancelled` when `go_on` says so.
    pub(crate) fn long_read<T: Send>(
        &self,
        read: impl FnOnce(&dyn Conn) -> Result<T> + Send,
        go_on: &mut dyn FnMut() -> Flow,
    ) -> Result<T> {
        if self.file.in_memory() {
            return self.writer.with_conn(|conn| read(conn));
        }
        stoppable(self.file.open_reader()?, |conn| read(conn), go_on)
    }

    /// Writes the whole file anew, without free space in it. Everybody else's writes wait; a crash, a stop or a full disk
    /// leaves the file as it was, since it is one transaction.
    pub(crate) fn rebuild(&self, go_on: &mut dyn FnMut() -> Flow) -> Result<()> {
        self.writer.with_conn(|conn| {
            let Some(path) = &self.file.path else { return conn.run("VACUUM") };
            let used = (conn as &dyn Conn).integer(
                "SELECT (page_count - freelist_count) * page_size
                   FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
                &[],
            )?;
            let used = u64::try_from(used).unwrap_or(0) / 100 * ROOM;
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            // The copy goes to the folder for temporary files, the log lies beside the file.
            have_room(&[(folder.to_owned(), used), (temporary(), used)])?;
            let rebuilder = self.file.open_rebuilder()?;
            let rebuild = |conn: &SqliteConn| {
                conn.run("VACUUM")?;
                // The file shrinks when the log is moved into it. A reader may hold the log; then the next checkpoint
                // does it.
                conn.conn.busy_timeout(READERS).map_err(|e| super::failure(&e))?;
                (conn as &dyn Conn).run("PRAGMA wal_checkpoint(TRUNCATE)", &[])
            };
            stoppable(rebuilder, rebuild, go_on)
        })
    }
}

/// Runs `work` beside this thread, which asks `go_on` meanwhile.
fn stoppable<T: Send>(
    conn: SqliteConn,
    work: impl FnOnce(&SqliteConn) -> Result<T> + Send,
    go_on: &mut dyn FnMut() -> Flow,
) -> Result<T> {
    let interrupt = conn.conn.get_interrupt_handle();
    std::thread::scope(|scope| {
        let (done, answer) = channel();
        scope.spawn(move || done.send(work(&conn)));
        let mut stopped = false;
        loop {
            match answer.recv_timeout(ASK_EVERY) {
                Ok(out) => return out,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::new(Kind::Internal, "the thread of a long statement panicked"));
                }
                Err(RecvTimeoutError::Timeout) => stopped = stopped || go_on().is_break(),
            }
            if stopped {
                interrupt.interrupt();
            }
        }
    })
}

/// The folder that SQLite puts temporary files into.
fn temporary() -> PathBuf {
    let told = ["SQLITE_TMPDIR", "TMPDIR"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let usual = ["/var/tmp", "/usr/tmp", "/tmp"].into_iter().map(PathBuf::from);
    told.chain(usual).find(|folder| folder.is_dir()).unwrap_or_else(std::env::temp_dir)
}

/// Fails when one of the folders has less room than is needed there. What lies on one disk is added up.
fn have_room(needs: &[(PathBuf, u64)]) -> Result<()> {
    for (folder, _) in needs {
        let here = disk(folder);
        let needed = needs.iter().filter(|(other, _)| disk(other) == here).map(|(_, bytes)| bytes).sum();
        // A file system that does not tell is tried.
        let free = fs4::available_space(folder).unwrap_or(u64::MAX);
        if free < needed {
            return Err(short_of_room(folder, needed, free));
        }
    }
    Ok(())
}

fn short_of_room(folder: &Path, needed: u64, free: u64) -> Error {
    Error::new(Kind::DiskFull, "there is not enough room to write the database anew; nothing was begun")
        .with("path", folder.display())
        .with("needed_bytes", needed)
        .with("free_bytes", free)
}

/// Which disk a folder is on.
#[cfg(unix)]
fn disk(folder: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).ok().map(|m| m.dev())
}

#[cfg(not(unix))]
fn disk(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_on_one_disk_is_needed_for_everything_that_goes_there() {
        let dir = tempfile::tempdir().unwrap();
        let free = fs4::available_space(dir.path()).unwrap();
        let need = |bytes| (dir.path().to_owned(), bytes);
        assert!(have_room(&[need(1), need(1)]).is_ok());
        let half = free / 4 * 3;
        let e = have_room(&[need(half), need(half)]).unwrap_err();
        assert_eq!(e.kind(), Kind::DiskFull);
        assert_eq!(e.context("needed_bytes"), Some(&*(half * 2).to_string()));
    }
}
