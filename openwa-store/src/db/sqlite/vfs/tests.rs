//! What a failing disk does to a database.

use std::cell::RefCell;
use std::path::Path;

use rusqlite::ffi::{
    SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_IOERR_SHMSIZE,
    SQLITE_IOERR_WRITE,
};

use super::*;
use crate::db::Conn;
use crate::db::sqlite::{SqliteConn, SqliteFile};
use crate::entity::Database;
use crate::value::Value;

/// A call: its method, and whether the file is a database whose index of the log is mapped.
type Hook = Box<dyn FnMut(&'static str, bool) -> Option<(c_int, i32)>>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Decides what the calls of this thread come to, until what is answered goes.
fn faults(hook: impl FnMut(&'static str, bool) -> Option<(c_int, i32)> + 'static) -> Faults {
    HOOK.set(Some(Box::new(hook)));
    Faults
}

struct Faults;

impl Drop for Faults {
    fn drop(&mut self) {
        HOOK.set(None);
    }
}

pub(super) fn instead(file: *mut sqlite3_file, method: &'static str) -> Option<(c_int, i32)> {
    // SAFETY: the file is one that SQLite has given memory for; `open` writes it before it asks.
    let shared = unsafe { !(*file.cast::<File>()).index.is_null() };
    HOOK.with(|hook| hook.try_borrow_mut().ok()?.as_mut()?(method, shared))
}

fn file_in(dir: &Path) -> SqliteFile {
    SqliteFile::alone(&dir.join("data.sqlite"), Database::Data)
}

fn fill(conn: &SqliteConn, from: i64, to: i64) {
    conn.begin_write().unwrap();
    for n in from..=to {
        conn.execute("INSERT INTO t VALUES (?1, hex(randomblob(400)))", &[Value::Int(n)]).unwrap();
    }
    conn.run("COMMIT").unwrap();
}

/// The kernel gives up the pages of a sync that failed, also those that an earlier checkpoint copied and that nobody had
/// synced; later they are read as they were on the disk.
#[test]
fn after_a_failed_sync_the_whole_log_is_copied_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = file_in(dir.path());
    let writer = file.open_writer().unwrap();
    writer.batch("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT NOT NULL)").unwrap();
    fill(&writer, 1, 200);
    let checkpointer = file.open_checkpointer().unwrap();
    let (log, moved) = checkpointer.checkpoint().unwrap();
    assert_eq!(log, moved);
    let path = file.path.clone().unwrap();
    let synced = std::fs::read(&path).unwrap();

    // Somebody reads, so this checkpoint cannot catch up and moves the mark without a sync.
    fill(&writer, 201, 400);
    let reader = file.open_reader().unwrap();
    reader.begin_read().unwrap();
    fill(&writer, 401, 600);
    let (log, moved) = checkpointer.checkpoint().unwrap();
    assert!(moved > 0 && moved < log, "{moved} of {log}");
    reader.batch("COMMIT").unwrap();

    let lost = path.clone();
    let failing = faults(move |method, shared| {
        (method == "xSync" && shared).then(|| {
            std::fs::write(&lost, &synced).unwrap();
            (SQLITE_IOERR_FSYNC, 5)
        })
    });
    let error = checkpointer.checkpoint().unwrap_err();
    drop(failing);
    assert_eq!(error.kind(), Kind::Io, "{error}");

    let (log, moved) = checkpointer.checkpoint().unwrap();
    assert_eq!(log, moved);
    // The log starts over.
    fill(&writer, 601, 601);
    drop((reader, checkpointer, writer));
    let conn = file.open_writer().unwrap();
    assert_eq!(conn.text("PRAGMA integrity_check").unwrap(), "ok");
    assert_eq!((&conn as &dyn Conn).integer("SELECT count(*) FROM t", &[]).unwrap(), 601);
}

/// While a new database is made every call may fail once. It is made as promised then, or refused.
#[test]
fn no_database_is_made_without_what_is_promised() {
    let mut refused = 0;
    for (code, errno) in [(SQLITE_IOERR_WRITE, 5), (SQLITE_FULL, 28), (SQLITE_IOERR_SHMSIZE, 28)] {
        for nth in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let file = file_in(dir.path());
            let seen = std::rc::Rc::new(Cell::new(0));
            let count = std::rc::Rc::clone(&seen);
            let failing = faults(move |method, _| {
                let fails =
                    matches!(method, "xWrite" | "xSync" | "xTruncate" | "xShmMap" | "xOpen" | "xRead");
                let now = fails && count.replace(count.get() + i32::from(fails)) == nth;
                now.then_some((code, errno))
            });
            let opened = file.open_writer();
            drop(failing);
            match opened {
                Ok(conn) => {
                    assert_eq!(conn.text("PRAGMA journal_mode").unwrap(), "wal", "call {nth}");
                    assert_eq!(conn.text("PRAGMA synchronous").unwrap(), "2", "call {nth}");
                    assert_eq!(conn.text("PRAGMA foreign_keys").unwrap(), "1", "call {nth}");
                    assert_eq!(conn.text("PRAGMA auto_vacuum").unwrap(), "2", "call {nth}");
                }
                Err(e) => {
                    let wanted = if errno == 28 { Kind::DiskFull } else { Kind::Io };
                    assert_eq!(e.kind(), wanted, "call {nth}: {e}");
                    refused += 1;
                }
            }
            if seen.get() <= nth {
                break;
            }
        }
    }
    assert!(refused > 9, "{refused} calls failed");
}

/// The numbers are Linux's.
#[test]
#[cfg(target_os = "linux")]
fn an_error_says_what_the_system_said() {
    const EIO: i32 = 5;
    const EACCES: i32 = 13;
    const EMFILE: i32 = 24;
    const ENOSPC: i32 = 28;
    const EROFS: i32 = 30;
    const ENOENT: i32 = 2;
    const EDQUOT: i32 = 122;
    const EFBIG: i32 = 27;
    let table = [
        ("xWrite", SQLITE_FULL, ENOSPC, Kind::DiskFull, "free some"),
        ("xWrite", SQLITE_IOERR_WRITE, EIO, Kind::Io, "replace the disk"),
        ("xWrite", SQLITE_IOERR_WRITE, EDQUOT, Kind::DiskFull, "quota"),
        ("xWrite", SQLITE_IOERR_WRITE, EFBIG, Kind::DiskFull, "ulimit -f"),
        ("xWrite", SQLITE_IOERR_WRITE, EROFS, Kind::PermissionDenied, "read-only"),
        ("xSync", SQLITE_IOERR_FSYNC, EIO, Kind::Io, "replace the disk"),
        ("xSync", SQLITE_IOERR_FSYNC, ENOSPC, Kind::DiskFull, "free some"),
        ("xShmMap", SQLITE_IOERR_SHMSIZE, ENOSPC, Kind::DiskFull, "free some"),
        ("xShmMap", SQLITE_IOERR_SHMSIZE, EIO, Kind::Io, "replace the disk"),
        ("xRead", SQLITE_IOERR_READ, EIO, Kind::Io, "replace the disk"),
        ("xOpen", SQLITE_CANTOPEN, EMFILE, Kind::Unavailable, "ulimit -n"),
        ("xOpen", SQLITE_CANTOPEN, EACCES, Kind::PermissionDenied, "owner and mode"),
        ("xOpen", SQLITE_CANTOPEN, EROFS, Kind::PermissionDenied, "read-only"),
        ("xOpen", SQLITE_CANTOPEN, ENOSPC, Kind::DiskFull, "one more file"),
        ("xOpen", SQLITE_CANTOPEN, ENOENT, Kind::FileGone, "not there"),
        ("xOpen", SQLITE_CANTOPEN, EIO, Kind::Io, "replace the disk"),
    ];
    for (method, code, errno, kind, says) in table {
        let dir = tempfile::tempdir().unwrap();
        let file = file_in(dir.path());
        let failing = faults(move |called, _| (called == method).then_some((code, errno)));
        let used = file.open_writer().and_then(|conn| conn.begin_read());
        let error = used.err().unwrap_or_else(|| panic!("{method} {errno} was not noticed"));
        drop(failing);
        assert_eq!(error.kind(), kind, "{method} {errno}: {error}");
        assert!(error.to_string().contains(says), "{method} {errno}: {error}");
        assert_eq!(kind.retryable(), matches!(kind, Kind::DiskFull | Kind::Unavailable), "{kind:?}");
    }
}

/// A store whose file cannot be read is not damaged.
#[test]
fn a_read_error_while_opening_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    drop(crate::Store::open(dir.path()).unwrap());
    for nth in 0.. {
        let seen = std::rc::Rc::new(Cell::new(0));
        let count = std::rc::Rc::clone(&seen);
        let failing = faults(move |method, _| {
            let read = matches!(method, "xRead" | "xFetch");
            (read && count.replace(count.get() + 1) == nth).then_some((SQLITE_IOERR_READ, 5))
        });
        let opened = crate::Store::open(dir.path());
        drop(failing);
        if let Err(e) = opened {
            assert_eq!(e.kind(), Kind::Io, "read {nth}: {e}");
        }
        if seen.get() <= nth {
            assert!(nth > 3, "{nth} reads failed");
            break;
        }
    }
}

/// Foreign keys are not enforced while tables are filled; the next transaction enforces them again, or does not begin.
#[test]
fn no_write_is_done_without_foreign_keys() {
    let dir = tempfile::tempdir().unwrap();
    let file = file_in(dir.path());
    let conn = file.open_writer().unwrap();
    conn.begin_lax().unwrap();
    let error = conn.enforce().unwrap_err();
    assert!(error.to_string().contains("foreign_keys"), "{error}");
    assert!(conn.begin_write().is_err());
    conn.run("ROLLBACK").unwrap();
    conn.begin_write().unwrap();
    assert_eq!(conn.text("PRAGMA foreign_keys").unwrap(), "1");
}
