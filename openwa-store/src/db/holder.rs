//! Locks on files: waiting for one until a deadline, and telling who holds it.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;

/// How long a lock of another process is waited for. No opening and no write of a gateway takes nearly as
/// long, and whoever supervises it sees the error before losing patience.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(60);

/// Pauses between tries, until a deadline: 10 ms at first, so that a lock held for a moment costs little,
/// then longer.
pub(crate) struct Wait {
    until: Instant,
    pause: Duration,
}

impl Wait {
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_millis(50);

    pub(crate) fn until(until: Instant) -> Self {
        Wait { until, pause: Self::SHORTEST }
    }

    pub(crate) fn at_most(time: Duration) -> Self {
        Wait::until(Instant::now() + time)
    }

    /// Pauses. False: the time is over.
    pub(crate) fn again(&mut self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(self.pause.min(left));
        self.pause = (self.pause + Self::SHORTEST).min(Self::LONGEST);
        true
    }
}

/// Takes the lock of a file. False: it was held until `deadline`.
pub(crate) fn lock_file(file: &File, deadline: Instant) -> io::Result<bool> {
    locked_until(deadline, || file.try_lock())
}

/// The same with another way of locking.
pub(crate) fn locked_until(
    deadline: Instant,
    try_lock: impl Fn() -> Result<(), TryLockError>,
) -> io::Result<bool> {
    let mut wait = Wait::until(deadline);
    loop {
        match try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if wait.again() => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
}

/// A process that holds a lock.
pub(crate) struct Holder {
    pid: u32,
    command: String,
    stopped: bool,
}

impl Holder {
    /// Who holds the lock of a file or folder ([`File::lock`]).
    pub(crate) fn of(file: &File) -> Option<Self> {
        system::holder_of(file)
    }

    /// Who writes to a SQLite database, or has it open. Opens none of its files: closing one would end this
    /// process's locks on it.
    pub(crate) fn of_database(path: &Path) -> Option<Self> {
        system::holder_of_database(path)
    }

    /// Adds to the error of a lock of a file that could not be had who holds it.
    pub(crate) fn of_lock(file: &File, e: Error) -> Error {
        Self::name(Self::of(file).as_ref(), e)
    }

    /// Adds to the error of a lock that could not be had who holds it, and what to do about that.
    pub(crate) fn name(holder: Option<&Self>, e: Error) -> Error {
        let text = match holder {
            Some(it) if it.stopped => {
                let go_on = format!("let that go on (`kill -CONT {}`)", it.pid);
                format!("the lock is held by {it}; {go_on} or end it, then try again")
            }
            Some(it) => format!("the lock is held by {it}; wait for that or end it, then try again"),
            None => "which process holds it cannot be told here; find it (`fuser`, `lsof`), wait for it or \
                     end it, then try again"
                .to_owned(),
        };
        let e = e.adding(text);
        match holder {
            Some(holder) => e.with("holder", holder),
            None => e.with("holder", "unknown"),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stopped = if self.stopped { ", stopped" } else { "" };
        write!(f, "process {} ({}{stopped})", self.pid, self.command)
    }
}

/// Linux lists all locks in `/proc/locks`, by device and inode.
#[cfg(target_os = "linux")]
mod system {
    use std::fs::{self, File};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use super::Holder;
    use crate::folder;

    pub(super) fn holder_of(file: &File) -> Option<Holder> {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
        // Newer kernels tell the number that the list has; on some file systems `stat` has another one.
        let inode = field(&info, "ino:").or_else(|| file.metadata().ok().map(|m| m.ino()))?;
        let id = format!("{}:{inode}", device(&info)?);
        let locks = fs::read_to_string("/proc/locks").ok()?;
        locks.lines().filter_map(Lock::read).find(|lock| lock.kind == "FLOCK" && lock.id == id)?.holder()
    }

    pub(super) fn holder_of_database(path: &Path) -> Option<Holder> {
        let folder = File::open(folder::of(path)).ok()?;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", folder.as_raw_fd())).ok()?;
        let device = device(&info)?;
        let id = |path: &Path| Some(format!("{device}:{}", fs::metadata(path).ok()?.ino()));
        let (index, file) = (id(&folder::beside(path, "-shm")), id(path)?);
        let locks = fs::read_to_string("/proc/locks").ok()?;
        let locks: Vec<Lock<'_>> =
            locks.lines().filter_map(Lock::read).filter(|l| l.kind == "POSIX").collect();
        // The lock of the writer is byte 120 of the log's index (section 2.3.2 of
        // <https://sqlite.org/walformat.html>).
        let writes =
            |l: &&Lock<'_>| l.write && Some(l.id) == index.as_deref() && (l.from..=l.to).contains(&120);
        let other = |l: &&Lock<'_>| l.id == file && l.pid != std::process::id();
        locks.iter().find(writes).or_else(|| locks.iter().find(other))?.holder()
    }

    fn field(info: &str, name: &str) -> Option<u64> {
        info.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
    }

    /// The device as the list has it: that of the mount, which is not always what `stat` says.
    fn device(info: &str) -> Option<String> {
        let mount = field(info, "mnt_id:")?.to_string();
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mut fields = mounts
            .lines()
            .map(str::split_whitespace)
            .find_map(|mut fields| (fields.next() == Some(&mount)).then_some(fields))?;
        let (major, minor) = fields.nth(1)?.split_once(':')?;
        Some(format!("{:02x}:{:02x}", major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    }

    /// A line: `1: FLOCK  ADVISORY  WRITE 4711 fe:00:10166320 0 EOF`. Those that wait have `->` behind the
    /// number.
    struct Lock<'a> {
        kind: &'a str,
        write: bool,
        pid: u32,
        id: &'a str,
        from: u64,
        to: u64,
    }

    impl<'a> Lock<'a> {
        fn read(line: &'a str) -> Option<Self> {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, kind, _, mode, pid, id, from, to] = fields[..] else { return None };
            let to = to.parse().unwrap_or(u64::MAX);
            Some(Lock {
                kind,
                write: mode == "WRITE",
                pid: pid.parse().ok()?,
                id,
                from: from.parse().ok()?,
                to,
            })
        }

        /// `None`: the process is in another container, which shows no number here.
        fn holder(&self) -> Option<Holder> {
            let command = fs::read_to_string(format!("/proc/{}/comm", self.pid)).ok()?;
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
            // The name stands in brackets and may contain some.
            let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
            let stopped = matches!(state, Some('T' | 't'));
            Some(Holder { pid: self.pid, command: command.trim_end().to_owned(), stopped })
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::path::Path;

    use super::Holder;

    pub(super) fn holder_of(_: &File) -> Option<Holder> {
        None
    }

    pub(super) fn holder_of_database(_: &Path) -> Option<Holder> {
        None
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::error::Kind;
    use crate::{Config, Store};

    /// Says in the child what it shall hold.
    const HOLD: &str = "OPENWA_TEST_HOLD";

    /// A process that holds what `what` says and was stopped by SIGSTOP.
    struct Stopped(Child);

    impl Stopped {
        fn holding(what: &str, dir: &Path) -> Self {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "--nocapture", "db::holder::tests::a_process_that_holds_something"]);
            child.env(HOLD, format!("{what} {}", dir.display())).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = child.spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap().ends_with("holding")));
            let stopped = Command::new("kill").args(["-STOP", &child.id().to_string()]).status().unwrap();
            assert!(stopped.success());
            Stopped(child)
        }

        /// Checks that the error names it and says how to let it go on.
        fn is_named_in(&self, e: &Error) {
            assert_eq!(e.kind(), Kind::Busy, "{e}");
            if cfg!(target_os = "linux") {
                let id = self.0.id();
                assert!(e.message().contains(&format!("process {id} (")), "{e}");
                assert!(e.message().contains(&format!("`kill -CONT {id}`")), "{e}");
            }
        }
    }

    impl Drop for Stopped {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    fn impatient(dir: &Path) -> Config {
        Config { lock_wait: Duration::from_millis(300), ..Config::new(dir) }
    }

    /// The child of the others; does nothing by itself.
    #[test]
    fn a_process_that_holds_something() {
        let Ok(what) = std::env::var(HOLD) else { return };
        let (what, dir) = what.split_once(' ').unwrap();
        let dir = Path::new(dir);
        let folder = File::open(dir).unwrap();
        let conn = match what {
            "folder" => {
                folder.lock().unwrap();
                None
            }
            _ => Some(rusqlite::Connection::open(dir.join("data.sqlite")).unwrap()),
        };
        if let Some(conn) = &conn {
            conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        }
        println!("holding");
        // Its parent never writes.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
    }

    #[test]
    fn an_opener_does_not_wait_for_ever_for_one_that_is_stopped_while_opening() {
        let dir = tempfile::tempdir().unwrap();
        let stopped = Stopped::holding("folder", dir.path());
        stopped.is_named_in(&Store::open_with(impatient(dir.path())).unwrap_err());
        let migrated =
            crate::migrations::migrate(&impatient(dir.path()), crate::entity::Database::Data, None);
        stopped.is_named_in(&migrated.unwrap_err());
        drop(stopped);
        Store::open_with(impatient(dir.path())).unwrap();
    }

    #[test]
    fn an_opener_does_not_wait_for_ever_for_one_that_is_stopped_while_writing() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).unwrap().close().unwrap();
        crate::migrations::migrate(&Config::new(dir.path()), crate::entity::Database::Data, Some(1)).unwrap();
        let stopped = Stopped::holding("write", dir.path());
        stopped.is_named_in(&Store::open_with(impatient(dir.path())).unwrap_err());
    }

    #[test]
    fn a_wait_ends_by_the_time_however_long_each_try_takes() {
        let mut wait = Wait::at_most(Duration::from_millis(60));
        let (mut tries, start) = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_millis(40));
            tries += 1;
            if !wait.again() {
                break;
            }
        }
        assert!(tries <= 3 && start.elapsed() >= Duration::from_millis(60), "{tries}");
    }
}
