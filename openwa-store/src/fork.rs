//! What a forked child may do with what its parent had open: nothing. It leaves connections, sockets, threads and locks
//! alone, at its end too, and opens no database that was open when the process forked: SQLite remembers per process which
//! locks it holds, a child inherits that memory, and the system does not pass the locks on.
//!
//! It has unsafe code because it takes part in `fork` by `pthread_atfork`.

use std::ops::{Deref, DerefMut};

use crate::error::{Error, Kind};

#[cfg(not(unix))]
use elsewhere as system;
#[cfg(unix)]
use unix as system;

pub use system::Lazy;
pub(crate) use system::{FileId, Opened, Private, file_id, opening, refuse};

/// One process. A child of it is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    id: u32,
    forks: u32,
}

impl Process {
    /// This process.
    pub(crate) fn current() -> Self {
        system::take_part();
        Process { id: std::process::id(), forks: system::forks() }
    }

    /// Whether it is this one.
    pub(crate) fn is_current(self) -> bool {
        // A number may come again in a child, a fork that no handler hears of changes the number.
        self.has_not_forked() && std::process::id() == self.id
    }

    /// The same, as far as handlers heard: without a call of the system.
    pub(crate) fn has_not_forked(self) -> bool {
        system::forks() == self.forks
    }
}

/// A value that only the process that made it drops. In a child it stays as it is.
pub(crate) struct Owned<T> {
    value: Option<T>,
    process: Process,
}

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Owned { value: Some(value), process: Process::current() }
    }

    /// The process that made it.
    pub(crate) fn process(&self) -> Process {
        self.process
    }

    /// Fails in a child, also in one that was forked in the middle of a call.
    pub(crate) fn check(&self) -> crate::Result<()> {
        if self.process.has_not_forked() { Ok(()) } else { Err(used_in_child()) }
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.value {
            Some(value) => value,
            None => unreachable!("it is taken out only by drop"),
        }
    }
}

impl<T> DerefMut for Owned<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.value {
            Some(value) => value,
            None => unreachable!("it is taken out only by drop"),
        }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.process.is_current() {
            std::mem::forget(self.value.take());
        }
    }
}

/// What a child is told to do instead.
const INSTEAD: &str = "open it after the fork, in the child only (gunicorn: `post_fork`, Celery: `worker_process_init`), or \
                       start the process by `spawn` or `forkserver`";

/// A store of the parent was used.
#[cold]
pub(crate) fn used_in_child() -> Error {
    Error::new(Kind::Forked, format!("the store was opened before this process was forked: {INSTEAD}"))
}

#[cfg(unix)]
#[allow(unsafe_code, reason = "handlers of `fork` are an interface of C")]
mod unix {
    use std::cell::UnsafeCell;
    use std::marker::PhantomData;
    use std::mem::ManuallyDrop;
    use std::ops::Deref;
    use std::os::fd::{AsRawFd, RawFd};
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
    use std::sync::{Mutex, MutexGuard};

    use rusqlite::ffi::{
        SQLITE_MUTEX_STATIC_MAIN, SQLITE_MUTEX_STATIC_VFS3, SQLITE_OK, sqlite3_mutex, sqlite3_mutex_alloc,
        sqlite3_mutex_leave, sqlite3_mutex_try,
    };

    use super::{INSTEAD, Process};
    use crate::db::lock;
    use crate::error::{Error, Kind, Result};

    /// Like `LazyLock`, but nobody waits for another thread's making, which in a child might never end. Two threads may
    /// make the value at once; all get the same.
    pub struct Lazy<T> {
        value: AtomicPtr<T>,
        make: fn() -> T,
        of: PhantomData<T>,
    }

    impl<T> Lazy<T> {
        /// A value to be made when it is needed.
        pub const fn new(make: fn() -> T) -> Self {
            Lazy { value: AtomicPtr::new(null_mut()), make, of: PhantomData }
        }
    }

    impl<T: Send + Sync + 'static> Deref for Lazy<T> {
        type Target = T;

        fn deref(&self) -> &T {
            let mut value = self.value.load(Ordering::Acquire);
            if value.is_null() {
                let made = Box::into_raw(Box::new((self.make)()));
                let kept = self.value.compare_exchange(null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
                value = kept.map_or_else(
                    |first| {
                        // SAFETY: it was made here and nobody else has it.
                        drop(unsafe { Box::from_raw(made) });
                        first
                    },
                    |_| made,
                );
            }
            // SAFETY: what was put there once stays, whole, for ever.
            unsafe { &*value }
        }
    }

    /// How often a process of this line was forked.
    static FORKS: AtomicU32 = AtomicU32::new(0);
    static TAKES_PART: AtomicBool = AtomicBool::new(false);

    /// What is open. Nobody changes it while the process forks.
    static STATE: Mutex<State> = Mutex::new(State { files: Vec::new(), private: Vec::new() });

    struct State {
        files: Vec<OpenFile>,
        private: Vec<RawFd>,
    }

    /// A database that some connections of one process have open.
    struct OpenFile {
        id: FileId,
        process: Process,
        connections: usize,
    }

    /// Device and number: a file has more than one path.
    pub(crate) type FileId = (u64, u64);

    /// The locks behind SQLite's global state. A fork waits for them, so that no child inherits one that is held.
    const MUTEXES: usize = (SQLITE_MUTEX_STATIC_VFS3 - SQLITE_MUTEX_STATIC_MAIN + 1) as usize;
    static SQLITE: [AtomicPtr<sqlite3_mutex>; MUTEXES] = [const { AtomicPtr::new(null_mut()) }; MUTEXES];

    /// The lock of [`STATE`] while the process forks.
    struct Parked(UnsafeCell<Option<MutexGuard<'static, State>>>);

    // SAFETY: whoever has the lock uses it, and that is the one thread that forks.
    unsafe impl Sync for Parked {}

    static PARKED: Parked = Parked(UnsafeCell::new(None));

    pub(super) fn forks() -> u32 {
        FORKS.load(Ordering::Relaxed)
    }

    pub(super) fn take_part() {
        if TAKES_PART.load(Ordering::Relaxed) || TAKES_PART.swap(true, Ordering::AcqRel) {
            return;
        }
        for (id, place) in (SQLITE_MUTEX_STATIC_MAIN..).zip(&SQLITE) {
            // SAFETY: a static mutex is there from the first call to the end of the process.
            place.store(unsafe { sqlite3_mutex_alloc(id) }, Ordering::Release);
        }
        // SAFETY: the handlers are functions of this library. An error means no memory; then numbers of processes tell.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    }

    extern "C" fn before() {
        let state = lock(&STATE);
        while !take_sqlite() {
            std::thread::yield_now();
        }
        // SAFETY: this thread has the lock.
        unsafe { *PARKED.0.get() = Some(state) };
    }

    extern "C" fn in_parent() {
        leave_sqlite(MUTEXES);
        // SAFETY: this thread has the lock, and takes the guard out before it is free.
        drop(unsafe { (*PARKED.0.get()).take() });
    }

    /// Calls only what may be called between `fork` and `exec`.
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        leave_sqlite(MUTEXES);
        // SAFETY: as in the parent.
        let Some(mut state) = (unsafe { (*PARKED.0.get()).take() }) else { return };
        if state.private.is_empty() {
            return;
        }
        // SAFETY: the descriptors were open when the process forked, and belong to objects that stay as they are.
        unsafe {
            let nothing = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
            for fd in state.private.drain(..) {
                // Its number stays taken, so that what still knows it meets nobody else's file.
                if nothing >= 0 && libc::dup2(nothing, fd) >= 0 {
                    libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
                } else {
                    libc::close(fd);
                }
            }
            if nothing >= 0 {
                libc::close(nothing);
            }
        }
    }

    /// Takes all of SQLite's static mutexes or none: it takes some of them in an order of its own.
    fn take_sqlite() -> bool {
        for (taken, mutex) in SQLITE.iter().enumerate() {
            let mutex = mutex.load(Ordering::Acquire);
            // SAFETY: it is a static mutex, or null in a SQLite without threads.
            if !mutex.is_null() && unsafe { sqlite3_mutex_try(mutex) } != SQLITE_OK {
                leave_sqlite(taken);
                return false;
            }
        }
        true
    }

    fn leave_sqlite(taken: usize) {
        for mutex in &SQLITE[..taken] {
            let mutex = mutex.load(Ordering::Acquire);
            if !mutex.is_null() {
                // SAFETY: this thread took it; in a child it is the only one.
                unsafe { sqlite3_mutex_leave(mutex) };
            }
        }
    }

    /// Held by a connection to a database file.
    pub(crate) struct Opened {
        id: FileId,
        process: Process,
    }

    impl Drop for Opened {
        fn drop(&mut self) {
            if !self.process.is_current() {
                return;
            }
            let files = &mut lock(&STATE).files;
            let Some(at) = files.iter().position(|f| f.id == self.id && f.process == self.process) else {
                return;
            };
            files[at].connections -= 1;
            if files[at].connections == 0 {
                files.swap_remove(at);
            }
        }
    }

    /// Which file has a path now.
    pub(crate) fn file_id(path: &Path) -> std::io::Result<FileId> {
        std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
    }

    /// Notes that a connection to a database file is opened. `None`: there is no such file.
    ///
    /// # Errors
    /// `Forked` as [`refuse`].
    pub(crate) fn opening(path: &Path) -> Result<Option<Opened>> {
        let Ok(id) = file_id(path) else { return Ok(None) };
        let process = Process::current();
        let files = &mut lock(&STATE).files;
        inherited(files, id, process).map_err(|e| e.with("path", path.display()))?;
        match files.iter_mut().find(|f| f.id == id) {
            Some(file) => file.connections += 1,
            None => files.push(OpenFile { id, process, connections: 1 }),
        }
        Ok(Some(Opened { id, process }))
    }

    /// Refuses a database that was open when this process was forked.
    ///
    /// # Errors
    /// `Forked`.
    pub(crate) fn refuse(path: &Path) -> Result<()> {
        let Ok(id) = file_id(path) else { return Ok(()) };
        inherited(&lock(&STATE).files, id, Process::current()).map_err(|e| e.with("path", path.display()))
    }

    fn inherited(files: &[OpenFile], id: FileId, process: Process) -> Result<()> {
        if files.iter().all(|f| f.id != id || f.process == process) {
            return Ok(());
        }
        let text = format!(
            "the store was open in the parent when this process was forked, and a child cannot share its locks: close it \
             there before the fork and {INSTEAD}"
        );
        Err(Error::new(Kind::Forked, text))
    }

    /// A descriptor that no child keeps: one of a locked file or of a connection to a server, which would live on in the
    /// child when its owner is gone.
    pub(crate) struct Private<T: AsRawFd> {
        value: ManuallyDrop<T>,
        process: Process,
    }

    impl<T: AsRawFd> Private<T> {
        pub(crate) fn new(value: T) -> Self {
            let process = Process::current();
            lock(&STATE).private.push(value.as_raw_fd());
            Private { value: ManuallyDrop::new(value), process }
        }
    }

    impl<T: AsRawFd> Deref for Private<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.value
        }
    }

    impl<T: AsRawFd> Drop for Private<T> {
        fn drop(&mut self) {
            // In a child the number leads nowhere; there it stays.
            if !self.process.is_current() {
                return;
            }
            let fd = self.value.as_raw_fd();
            let private = &mut lock(&STATE).private;
            if let Some(at) = private.iter().position(|other| *other == fd) {
                private.swap_remove(at);
            }
            // SAFETY: nobody uses it any more. No fork comes between this and the line above.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}

/// A system without `fork`.
#[cfg(not(unix))]
mod elsewhere {
    use std::path::Path;
    pub use std::sync::LazyLock as Lazy;

    use crate::error::Result;

    pub(super) fn forks() -> u32 {
        0
    }

    pub(super) fn take_part() {}

    /// A file that is open cannot be removed or replaced here, so nobody asks which one has a path.
    pub(crate) type FileId = ();

    pub(crate) fn file_id(_path: &Path) -> std::io::Result<FileId> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(crate) struct Opened;

    pub(crate) fn opening(_path: &Path) -> Result<Option<Opened>> {
        Ok(Some(Opened))
    }

    pub(crate) fn refuse(_path: &Path) -> Result<()> {
        Ok(())
    }

    pub(crate) struct Private<T>(T);

    impl<T> Private<T> {
        pub(crate) fn new(value: T) -> Self {
            Private(value)
        }
    }

    impl<T> std::ops::Deref for Private<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }
}
