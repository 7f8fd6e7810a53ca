//! One writer of a repository at a time, wherever it runs. Its format has no locks that would do.
//!
//! In a folder it is the system's lock on a file, which ends with its process. In a bucket it is an object that its owner
//! writes anew every few seconds; who finds one waits until it has not changed for a while, and takes it then.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use object_store::path::Path;
use object_store::{Error as Storage, ObjectMeta, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};

use super::objects::Objects;
use super::place::Place;
use crate::db::{Holder, LOCK_WAIT, Wait, lock};
use crate::error::{Error, Kind, Result};
use crate::fork::Private;

/// Its name beside the files of the repository.
const NAME: &str = "openwa.lock";
/// How often the owner in a bucket shows that it lives.
const BEAT: Duration = Duration::from_secs(10);
/// How long it may seem dead.
const DEAD: Duration = Duration::from_secs(45);
/// How often others look.
const LOOK: Duration = Duration::from_secs(3);

/// The right to write to a repository, until it is dropped.
pub(super) enum Lock {
    Folder(#[allow(dead_code, reason = "held for its drop")] Private<File>),
    Bucket(Lease),
}

impl Lock {
    /// Takes it. In a bucket this waits when the last owner may have died.
    pub(super) fn take(objects: &Arc<Objects>, place: &Place) -> Result<Self> {
        let Place::Folder(folder) = place else { return Lease::take(objects).map(Lock::Bucket) };
        let path = folder.join(NAME);
        let told = |e: std::io::Error| Error::from(e).with("path", path.display());
        let mut options = File::options();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = Private::new(options.open(&path).map_err(told)?);
        match file.try_lock() {
            Ok(()) => Ok(Lock::Folder(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(Holder::of_lock(&file, busy(objects))),
            Err(std::fs::TryLockError::Error(e)) => Err(told(e)),
        }
    }

    /// Fails when the lock was lost: this process was away for so long that another one took it for dead.
    pub(super) fn still_held(&self) -> Result<()> {
        match self {
            Lock::Bucket(lease) if lease.lost.load(Ordering::Acquire) => {
                let text = "another process writes to the repository by now; this one was away for too long";
                Err(Error::new(Kind::Busy, text))
            }
            _ => Ok(()),
        }
    }
}

fn busy(objects: &Objects) -> Error {
    let text = "another process writes to the repository; try again when it is done";
    Error::new(Kind::Busy, text).with("repo", objects.shown())
}

/// An object that is written anew as long as its owner lives.
pub(super) struct Lease {
    objects: Arc<Objects>,
    lost: Arc<AtomicBool>,
    stop: Arc<(Mutex<bool>, Condvar)>,
    beating: Option<JoinHandle<()>>,
}

impl Lease {
    fn take(objects: &Arc<Objects>) -> Result<Self> {
        let path = objects.beside(NAME);
        let told = |e: Storage| objects.told(&e);
        let (mut seen, mut since) = (None, Instant::now());
        let mut waits = Wait::at_most(LOCK_WAIT);
        loop {
            match put(objects, &path, PutMode::Create) {
                Ok(()) => break,
                // A storage without conditions; then two that begin at the same moment are not kept apart.
                Err(Storage::NotImplemented { .. } | Storage::NotSupported { .. }) => {
                    put(objects, &path, PutMode::Overwrite).map_err(told)?;
                    break;
                }
                Err(Storage::AlreadyExists { .. } | Storage::Precondition { .. }) => {}
                Err(e) => return Err(told(e)),
            }
            let (store, at) = (objects.store(), path.clone());
            let now = match objects.ask(async move { store.head(&at).await }) {
                Ok(now) => now,
                // It has just gone.
                Err(Storage::NotFound { .. }) if waits.again() => continue,
                Err(Storage::NotFound { .. }) => return Err(busy(objects)),
                Err(e) => return Err(told(e)),
            };
            match &seen {
                Some(before) if same(before, &now) => {
                    if since.elapsed() >= DEAD {
                        let version = UpdateVersion { e_tag: now.e_tag, version: now.version };
                        match put(objects, &path, PutMode::Update(version)) {
                            Ok(()) => break,
                            Err(Storage::NotImplemented { .. } | Storage::NotSupported { .. }) => {
                                put(objects, &path, PutMode::Overwrite).map_err(told)?;
                                break;
                            }
                            Err(Storage::Precondition { .. } | Storage::NotFound { .. }) => {
                                return Err(busy(objects));
                            }
                            Err(e) => return Err(told(e)),
                        }
                    }
                }
                // It has changed, so its owner lives.
                Some(_) => return Err(busy(objects)),
                None => (seen, since) = (Some(now), Instant::now()),
            }
            std::thread::sleep(LOOK);
        }
        let lost = Arc::new(AtomicBool::new(false));
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let beating = {
            let (objects, lost, stop) = (Arc::clone(objects), Arc::clone(&lost), Arc::clone(&stop));
            std::thread::Builder::new()
                .name("openwa-backup-lock".to_owned())
                .spawn(move || beat(&objects, &lost, &stop))?
        };
        Ok(Lease { objects: Arc::clone(objects), lost, stop, beating: Some(beating) })
    }
}

fn same(a: &ObjectMeta, b: &ObjectMeta) -> bool {
    (&a.e_tag, a.last_modified) == (&b.e_tag, b.last_modified)
}

/// Writes the object; its content is new each time, so its tag is as well.
fn put(objects: &Objects, path: &Path, mode: PutMode) -> object_store::Result<()> {
    let (store, path) = (objects.store(), path.clone());
    let text = format!("openwa-store writes here: {}\n", uuid::Uuid::now_v7());
    objects.ask(async move {
        store.put_opts(&path, text.into(), PutOptions { mode, ..PutOptions::default() }).await.map(|_| ())
    })
}

fn beat(objects: &Objects, lost: &AtomicBool, stop: &(Mutex<bool>, Condvar)) {
    let path = objects.beside(NAME);
    let mut last = Instant::now();
    let mut stopped = lock(&stop.0);
    while !*stopped {
        stopped = stop.1.wait_timeout(stopped, BEAT).unwrap_or_else(PoisonError::into_inner).0;
        if *stopped {
            return;
        }
        match put(objects, &path, PutMode::Overwrite) {
            Ok(()) if last.elapsed() < DEAD => last = Instant::now(),
            // It may be somebody else's by now.
            Ok(()) => lost.store(true, Ordering::Release),
            Err(_) if last.elapsed() >= DEAD => lost.store(true, Ordering::Release),
            Err(_) => {}
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *lock(&self.stop.0) = true;
        self.stop.1.notify_all();
        if let Some(beating) = self.beating.take() {
            // It holds nothing that its panic could hurt.
            let _ = beating.join();
        }
        if !self.lost.load(Ordering::Acquire) {
            let (store, path) = (self.objects.store(), self.objects.beside(NAME));
            // What is left is taken for dead by the next one.
            let _ = self.objects.ask(async move { store.delete(&path).await });
        }
    }
}
