//! Folders whose names survive a power cut, and names beside others.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// Makes a folder, and those above it that are missing. The name of each new one is on the disk when this
/// returns.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    make_with(folder, &std::fs::DirBuilder::new())
}

/// The same; only its owner may enter a new one.
#[cfg(feature = "backup")]
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    make_with(folder, &builder)
}

fn make_with(folder: &Path, builder: &std::fs::DirBuilder) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    match builder.create(folder) {
        Ok(()) => {}
        // Somebody else made it just now and may not have come to syncing it.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            // Some file systems answer so although the folder above is there (`/proc`).
            let Some(parent) =
                folder.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir())
            else {
                return Err(e);
            };
            make_with(parent, builder)?;
            builder.create(folder).or_else(|e| if folder.is_dir() { Ok(()) } else { Err(e) })?;
        }
        Err(e) => return Err(e),
    }
    sync(of(folder))
}

/// The folder that a file or folder is in.
pub(crate) fn of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file beside another one whose name goes on with `end`: `data.sqlite-wal`.
pub(crate) fn beside(path: &Path, end: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Brings the names in a folder to the disk. Systems other than Unix have no such call.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(test)]
    synced::note(folder);
    #[cfg(unix)]
    match std::fs::File::open(folder)?.sync_all() {
        // A file system that has no such call either.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {}
        done => return done,
    }
    Ok(())
}

/// What this thread has synced, for tests.
#[cfg(test)]
pub(crate) mod synced {
    use std::cell::RefCell;
    use std::path::{Path, PathBuf};

    thread_local! {
        static SYNCED: RefCell<Vec<(PathBuf, Vec<String>)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn note(folder: &Path) {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = names.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        SYNCED.with_borrow_mut(|synced| synced.push((folder.to_owned(), names)));
    }

    /// The folders since the last call, each with the names that were in it.
    pub(crate) fn take() -> Vec<(PathBuf, Vec<String>)> {
        SYNCED.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let error = make(Path::new("/proc/nowhere/at/all")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn each_new_folder_is_synced_in_the_one_above_it() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        synced::take();
        make(&at("a/b/c")).unwrap();
        let folders = || synced::take().into_iter().map(|(folder, _)| folder).collect::<Vec<_>>();
        assert_eq!(folders(), [at(""), at("a"), at("a/b")]);
        make(&at("a/b/c")).unwrap();
        assert_eq!(folders(), [""; 0].map(PathBuf::from), "what is there needs nothing");
        std::fs::write(at("file"), "").unwrap();
        assert!(make(&at("file")).is_err() && make(&at("file/below")).is_err());
    }

    #[test]
    fn a_new_store_and_a_new_repository_are_synced_in_the_folders_above_them() {
        use crate::entity::Database;
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        let holds = |parent: PathBuf, name: &str| {
            let synced = synced::take();
            let found =
                synced.iter().any(|(folder, names)| *folder == parent && names.iter().any(|n| n == name));
            assert!(found, "{name} in {}: {synced:?}", parent.display());
        };
        let store = crate::Store::open(at("one/store")).unwrap();
        holds(at("one"), "store");
        #[cfg(feature = "backup")]
        {
            let (repo, password) = (Some(at("two/repo").display().to_string()), Some("a password".into()));
            let repo = crate::BackupRepo { repo, password, ..Default::default() };
            let options = crate::BackupOptions { repo: repo.clone(), ..Default::default() };
            store.backup(&options, None).unwrap();
            holds(at("two"), "repo");
            let options = crate::RestoreOptions { repo, replace: true, ..Default::default() };
            let target = crate::Config::new(at("three/store"));
            crate::restore_backup(&target, &options, None).unwrap();
            holds(at("three"), "store");
            // What was there is set aside, and that is on the disk before anything takes its place.
            crate::restore_backup(&target, &options, None).unwrap();
            let aside = |names: &[String]| names.iter().any(|n| n.starts_with("data.sqlite.before-restore-"));
            let (last, names) = synced::take().into_iter().find(|(_, names)| aside(names)).unwrap();
            assert!(last == at("three/store") && !names.iter().any(|n| n.ends_with(".sqlite")), "{names:?}");
        }
        store.close().unwrap();
        crate::migrations::migrate(&crate::Config::new(at("four/store")), Database::Data, None).unwrap();
        holds(at("four"), "store");
    }
}
