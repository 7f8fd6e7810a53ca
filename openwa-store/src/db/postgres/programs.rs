//! Programs of this machine: found, run, and not waited for without end.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};

/// What a program left.
pub(crate) struct Output {
    pub(crate) success: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Output {
    /// Why it failed, in its own words.
    pub(crate) fn reason(&self) -> &str {
        reason(if self.err.trim().is_empty() { &self.out } else { &self.err })
    }
}

/// The last line that names an error, or else the last line. What follows an error is often only advice.
pub(crate) fn reason(text: &str) -> &str {
    let said = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let error =
        said().rfind(|line| ["rror:", "Error", "FATAL:", "PANIC:"].iter().any(|word| line.contains(word)));
    error.or_else(|| said().next_back()).unwrap_or("it said nothing")
}

/// Runs a program to its end, or kills it when it takes longer than `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Output> {
    let name =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |e: std::io::Error| {
        let e = Error::from(e);
        Error::new(e.kind(), format!("{name} cannot be run: {}", e.message()))
    };
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let status = wait(&mut child, Instant::now() + limit).map_err(failed)?;
    let text = |thread: std::thread::JoinHandle<String>| thread.join().unwrap_or_default();
    match status {
        Some(status) => Ok(Output { success: status.success(), out: text(out), err: text(err) }),
        None => Err(Error::new(Kind::Timeout, format!("{name} did not end within {} s", limit.as_secs()))),
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could be read is what there is to show.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child, deadline: Instant) -> std::io::Result<Option<std::process::ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Where programs are looked for.
#[derive(Clone)]
pub(crate) struct Programs {
    folders: Vec<PathBuf>,
}

impl Programs {
    /// Those in `path`, or in PATH and where systems keep the versions of PostgreSQL, the newest first.
    pub(crate) fn new(path: Option<&OsStr>) -> Self {
        if let Some(path) = path {
            return Programs { folders: std::env::split_paths(path).collect() };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let mut versions = Vec::new();
        for (parent, start) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
            for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let version = name.to_str().and_then(|name| name.strip_prefix(start)?.parse::<u32>().ok());
                versions.extend(version.map(|version| (version, entry.path().join("bin"))));
            }
        }
        versions.sort();
        folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
        Programs { folders }
    }

    /// The first program of this name.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file())
    }

    /// The first folder with a server of PostgreSQL of version `major`, or of any version that the store can use.
    pub(crate) fn server(&self, major: Option<u32>) -> Option<ServerPrograms> {
        self.folders.iter().find_map(|folder| {
            let whole = ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file());
            if !whole {
                return None;
            }
            let found = version(&folder.join("postgres"))?;
            let fits = major.map_or(found >= OLDEST, |major| major == found);
            fits.then(|| ServerPrograms { folder: folder.clone() })
        })
    }

    /// The first program of this name of version `major` or newer.
    #[cfg(feature = "backup")]
    pub(crate) fn at_least(&self, name: &str, major: u32) -> Option<PathBuf> {
        let files = self.folders.iter().map(|folder| folder.join(name)).filter(|file| file.is_file());
        files.into_iter().find(|file| version(file).is_some_and(|found| found >= major))
    }

    /// The folders as the value of PATH.
    pub(crate) fn path(&self) -> OsString {
        std::env::join_paths(&self.folders).unwrap_or_default()
    }
}

/// The major version that a program says it has: `postgres (PostgreSQL) 15.18 (Debian …)`, `… 19devel`.
pub(crate) fn version(program: &Path) -> Option<u32> {
    let said = run(Command::new(program).arg("--version"), Duration::from_secs(10)).ok()?.out;
    let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

/// The oldest PostgreSQL that a store can use.
const OLDEST: u32 = 12;

/// A folder with the programs of one version.
pub(crate) struct ServerPrograms {
    folder: PathBuf,
}

impl ServerPrograms {
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
