//! Files that take the place of others.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::backup::sources::still;
use crate::config::Config;
use crate::db::{Held, LOCK_WAIT, SqliteFile, turn_in_folder};
use crate::entity::Database;
use crate::error::{Error, Kind, Result};
use crate::folder;
use crate::time::Timestamp;

/// Where a database is to be.
pub(super) struct Place {
    which: Database,
    path: PathBuf,
    pub(super) folder: PathBuf,
}

impl Place {
    fn new(which: Database, path: PathBuf) -> Result<Self> {
        let folder = folder::of(&path);
        folder::make(folder).map_err(|e| Error::from(e).with("path", folder.display()))?;
        Ok(Place { which, folder: folder.to_owned(), path })
    }

    fn mark(&self) -> PathBuf {
        SqliteFile::restore_mark(&self.path)
    }

    /// The file, its log and what belongs to it: those that are there.
    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let with = |end| folder::beside(&self.path, end);
        ["", "-wal", "-shm", "-journal"].map(with).into_iter().filter(|path| path.exists())
    }

    /// Fails while a process has the file open. A file that is no database any more is nobody's.
    fn refuse_open(&self) -> Result<()> {
        if !self.path.exists() {
            return Ok(());
        }
        let file = still(&self.path, self.which);
        match file.make_whole() {
            Err(e) if e.kind() == Kind::Busy => {
                let text = "a process has the store open; stop it, then restore";
                Err(file.name_holder(Error::new(Kind::Busy, text).with("path", self.path.display())))
            }
            Err(e) if !matches!(e.kind(), Kind::Corrupt | Kind::ForeignDatabase) => Err(e),
            _ => Ok(()),
        }
    }
}

/// The places of the databases that are files.
pub(super) struct Places {
    main: Place,
    data: Option<Place>,
    now: Timestamp,
}

impl Places {
    pub(super) fn of(target: &Config) -> Result<Self> {
        let memory = || Error::invalid("dir", "a backup is restored into a folder; name one");
        let main = Place::new(Database::Main, target.main_path().ok_or_else(memory)?)?;
        let data = target.data_path().map(|path| Place::new(Database::Data, path)).transpose()?;
        Ok(Places { main, data, now: target.clock.now() })
    }

    pub(super) fn main(&self) -> &Place {
        &self.main
    }

    pub(super) fn data(&self) -> Option<&Place> {
        self.data.as_ref()
    }

    fn all(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.main).chain(&self.data)
    }

    /// Fails when there is something already, unless it shall be replaced and nobody has it open.
    pub(super) fn refuse_taken(&self, replace: bool) -> Result<()> {
        // What a restore left that did not come to its end may be replaced by the next one.
        let replace = replace || self.all().any(|place| place.mark().exists());
        if let Some(place) = self.all().find(|place| !replace && place.files().next().is_some()) {
            let text = "there is a store already; restore into another folder, or have it replaced (it is set aside)";
            return Err(Error::new(Kind::Conflict, text).with("path", place.path.display()));
        }
        self.all().try_for_each(Place::refuse_open)
    }

    /// Marks the place of Main before something else than a file is put into its place; `what` says what.
    pub(super) fn begin(&self, what: &str) -> Result<()> {
        let mark = self.main.mark();
        let written = File::create(&mark).and_then(|mut file| {
            file.write_all(what.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|e| Error::from(e).with("path", mark.display()))?;
        self.sync()
    }

    /// What a restore had begun that did not come to its end.
    pub(super) fn begun(&self) -> Option<String> {
        fs::read_to_string(self.main.mark()).ok()
    }

    /// Takes the mark away: nothing has happened.
    pub(super) fn give_up(&self) {
        // The error that brought us here is the one to report. With the mark the store does not open until the next restore.
        let _ = fs::remove_file(self.main.mark());
    }

    /// Puts the files into their places and answers where those are now that were there. `judge` sees the Data file that
    /// is there, of which nobody can change anything by then.
    pub(super) fn take(
        &self,
        files: &[(Database, &Path)],
        replace: bool,
        judge: impl Fn(&Path) -> Result<()>,
    ) -> Result<Vec<PathBuf>> {
        // Nobody opens anything here until it is done.
        let _turns = self.turns()?;
        self.refuse_taken(replace)?;
        if let Some(data) = self.data.as_ref().filter(|data| data.path.exists()) {
            judge(&data.path)?;
        }
        let named = |path: &Path, e: std::io::Error| Error::from(e).with("path", path.display());
        for place in self.all() {
            let mark = place.mark();
            let made = File::options().create(true).append(true).open(&mark);
            made.and_then(|file| file.sync_all()).map_err(|e| named(&mark, e))?;
        }
        self.sync()?;
        let mut set_aside = Vec::new();
        for place in self.all() {
            for file in place.files() {
                let aside = self.aside(&file);
                fs::rename(&file, &aside).map_err(|e| named(&file, e))?;
                set_aside.push(aside);
            }
        }
        // No power cut brings back an old log beside a new file.
        self.sync()?;
        for (which, file) in files {
            if let Some(place) = self.all().find(|place| place.which == *which) {
                fs::rename(file, &place.path).map_err(|e| named(&place.path, e))?;
            }
        }
        // The marks go when all else is on the disk.
        self.sync()?;
        for place in self.all() {
            let mark = place.mark();
            fs::remove_file(&mark).map_err(|e| named(&mark, e))?;
        }
        self.sync()?;
        Ok(set_aside)
    }

    /// A name beside it that nothing has.
    fn aside(&self, file: &Path) -> PathBuf {
        let time: String = self.now.iso().as_str().chars().filter(char::is_ascii_alphanumeric).collect();
        let name = |n: u32| {
            let again = if n == 0 { String::new() } else { format!("-{n}") };
            folder::beside(file, format!(".before-restore-{time}{again}"))
        };
        (0..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
    }

    /// The locks of the folders, each taken once.
    fn turns(&self) -> Result<Vec<Held>> {
        let mut folders: Vec<PathBuf> = self
            .all()
            .map(|place| fs::canonicalize(&place.folder).unwrap_or_else(|_| place.folder.clone()))
            .collect();
        folders.sort();
        folders.dedup();
        let until = Instant::now() + LOCK_WAIT;
        folders.iter().filter_map(|folder| turn_in_folder(&folder.join("any"), until).transpose()).collect()
    }

    fn sync(&self) -> Result<()> {
        self.all().try_for_each(|place| {
            folder::sync(&place.folder).map_err(|e| Error::from(e).with("path", place.folder.display()))
        })
    }
}
