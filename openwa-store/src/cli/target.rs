//! Where a command writes: never over what belongs to the store, and over another file only when told to.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure, Result};
use super::input::is_standard;
use super::output::Output;
use crate::store::{Identity, identity, refuse_own, refuse_same};
use crate::{Config, Error, Kind};

pub enum Target {
    /// A file, which takes its place when it is complete.
    File(PathBuf),
    /// A pipe, a terminal or a device. If it is standard output, what the command says goes to standard error.
    Stream { to: File, is_output: bool },
}

impl Target {
    /// Looks at `path` before anything is written. `others`: files that the command reads, and keys.
    pub fn at(path: &Path, force: bool, config: &Config, others: &[PathBuf]) -> Result<Self> {
        let at = |e: io::Error| Failure::from(Error::from(e).with("path", path.display()));
        if is_standard(path) {
            refuse_same(config, others, identity_of_output(), path)?;
            return Ok(Target::Stream { to: output().map_err(at)?, is_output: true });
        }
        refuse_own(config, others, path)?;
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                let e = Error::invalid("path", "this is a folder; name a file");
                Err(e.with("path", path.display()).into())
            }
            Ok(_) if is_name_of_output(path) => {
                Ok(Target::Stream { to: output().map_err(at)?, is_output: true })
            }
            Ok(found) if !found.is_file() => {
                let to = File::options().write(true).open(path).map_err(at)?;
                Ok(Target::Stream { to, is_output: false })
            }
            // What a link leads to is replaced, not the link.
            Ok(_) if force => Ok(Target::File(path.canonicalize().map_err(at)?)),
            Ok(_) => Err(taken(path)),
            // A link that leads nowhere is something too.
            Err(e) if e.kind() == io::ErrorKind::NotFound && (force || path.symlink_metadata().is_err()) => {
                Ok(Target::File(path.to_owned()))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(taken(path)),
            Err(e) => Err(at(e)),
        }
    }
}

fn taken(path: &Path) -> Failure {
    let text = format!("{} is there already, and is left as it is", path.display());
    Failure::new(Exit::Refused, text, "give another name, or --force to replace it")
}

/// Standard output without a buffer, so that each error of it is told.
fn output() -> io::Result<File> {
    #[cfg(unix)]
    let owned = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned();
    #[cfg(windows)]
    let owned = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned();
    owned.map(File::from)
}

#[cfg(unix)]
fn identity_of_output() -> Option<Identity> {
    let found = output().and_then(|file| file.metadata()).ok()?;
    Some(crate::store::identity_of(&found))
}

#[cfg(not(unix))]
fn identity_of_output() -> Option<Identity> {
    None
}

/// Whether a path is a device's name of standard output, such as `/dev/stdout`.
fn is_name_of_output(path: &Path) -> bool {
    let device = ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    let name = path.file_name().is_some_and(|name| name == "stdout" || name == "1");
    device && name && identity_of_output().is_some_and(|output| identity(path) == Some(output))
}

/// Fails when nobody can see what is written to standard output: it is closed, or leads to the null device, which Rust
/// opens in place of a closed one.
pub fn refuse_unseen() -> Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match identity_of_output() {
        Some(output) if identity(Path::new("/dev/null")) != Some(output) => Ok(()),
        _ => Err(unshown(io::Error::other("standard output is closed, or is /dev/null"))),
    }
}

/// Shows a secret that is shown once: only success says that it has arrived.
pub fn show_once(out: &mut Output, show: impl FnOnce(&mut Output) -> io::Result<()>) -> Result<()> {
    let run = || {
        show(out)?;
        out.flush()?;
        let file = output()?;
        // A pipe or a terminal has taken it; a disk may find that it is full.
        if file.metadata()?.is_file() { file.sync_all() } else { Ok(()) }
    };
    run().map_err(unshown)
}

fn unshown(e: io::Error) -> Failure {
    Failure::from(
        Error::new(Kind::Io, format!("the secret cannot be shown, so there is none: {e}")).caused_by(e),
    )
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::File(_) => Err(io::ErrorKind::Unsupported.into()),
            Target::Stream { to, .. } => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::File(_) => Ok(()),
            Target::Stream { to, .. } => to.flush(),
        }
    }
}
