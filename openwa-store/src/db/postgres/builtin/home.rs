//! The folder of the built-in server: who uses it, and as whom its programs run.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::db::postgres::programs;
use crate::db::{Holder, locked_until};
use crate::error::{Error, Kind, Result};
use crate::fork::Private;

/// The folder, which exists and can be written.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) path: PathBuf,
    /// As whom the server runs when we are root, which PostgreSQL refuses.
    runner: Option<(u32, u32)>,
}

impl Home {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let at = |e: std::io::Error| {
            let e = Error::from(e);
            Error::new(e.kind(), format!("the folder of the built-in server cannot be used: {}", e.message()))
                .with("path", path.display())
        };
        crate::folder::make(path).map_err(at)?;
        let path = &path.canonicalize().map_err(at)?;
        // Proves that the folder can be written, and tells who we are.
        let probe = path.join(format!("probe-{}", std::process::id()));
        let us = File::create(&probe).and_then(|file| file.metadata()).map_err(at)?.uid();
        fs::remove_file(&probe).map_err(at)?;
        let runner = if us == 0 { Some(unprivileged()?) } else { None };
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(at)?;
        let home = Home { path: path.clone(), runner };
        home.hand_over(path).map_err(at)?;
        Ok(home)
    }

    fn hand_over(&self, path: &Path) -> std::io::Result<()> {
        match self.runner {
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }

    /// Writes a file that only the server's user may read.
    pub(super) fn write(&self, path: &Path, content: &str) -> Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        Ok(self.hand_over(path)?)
    }

    /// A program, to be run as the server's user.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        // Our own folder may be closed to that user.
        command.current_dir("/");
        if let Some((uid, gid)) = self.runner {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Fails when the server's user cannot get here.
    pub(super) fn reachable(&self) -> Result<()> {
        let mut test = self.command("test");
        if self.runner.is_none()
            || programs::run(test.arg("-w").arg(&self.path), Duration::from_secs(10))?.success
        {
            return Ok(());
        }
        Err(Error::new(
            Kind::PermissionDenied,
            "PostgreSQL refuses to run as root, and the user who runs it instead cannot reach the store's folder; \
             let others enter the folders above it (chmod o+x), or keep the store elsewhere",
        )
        .with("path", self.path.display()))
    }

    /// Waits for the turn to start or stop the server. It is over when the file is dropped.
    pub(super) fn turn(&self, deadline: Instant) -> Result<Private<File>> {
        let file = Private::new(self.lock_file("turn")?);
        if crate::db::lock_file(&file, deadline)? { Ok(file) } else { Err(self.held(&file)) }
    }

    /// Takes part in the use of the server until the file is dropped. Only who has the turn may ask.
    pub(super) fn join(&self, users: &File, deadline: Instant) -> Result<()> {
        if locked_until(deadline, || users.try_lock_shared())? { Ok(()) } else { Err(self.held(users)) }
    }

    fn held(&self, file: &File) -> Error {
        let text = "another process is starting or stopping the built-in server and does not finish";
        let e = Error::new(Kind::Timeout, text).with("path", self.path.display());
        Holder::of_lock(file, e)
    }

    /// The file that whoever uses the server holds a shared lock on.
    pub(super) fn users(&self) -> Result<File> {
        self.lock_file("users")
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        let path = self.path.join(name);
        Ok(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?)
    }

    /// The password to use: the given one, or else the one that was drawn for this folder.
    pub(super) fn password(&self, given: Option<&str>) -> Result<String> {
        if let Some(given) = given {
            return Ok(given.to_owned());
        }
        let path = self.path.join("password");
        match fs::read_to_string(&path) {
            Ok(kept) => Ok(kept),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
                let drawn: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                self.write(&path, &drawn)?;
                Ok(drawn)
            }
            Err(e) => Err(e.into()),
        }
    }
}

/// The user for servers that must not run as root: the one that packages of PostgreSQL make, or nobody.
fn unprivileged() -> Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).ok_or_else(|| {
        Error::new(
            Kind::Unsupported,
            "PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor `nobody`",
        )
    })
}
